/* Which hash slot of a Cluster a key belongs to (Redis Cluster specification: CRC-16/XMODEM modulo 16384). */
#include "redis/redis_internal.h"

static uint16_t
crc16(struct fg_str s)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < s.len; i++) {
		crc ^= (uint16_t)((unsigned char)s.p[i] << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
	}
	return crc;
}

unsigned
fg_redis_slot(struct fg_str key)
{
	size_t open = fg_str_find(key, '{');
	struct fg_str behind = fg_str_slice(key, open + 1, key.len);
	size_t close = fg_str_find(behind, '}');

	if (open < key.len && close > 0 && close < behind.len)
		key = fg_str_slice(behind, 0, close);
	return crc16(key) % FG_REDIS_SLOTS;
}
