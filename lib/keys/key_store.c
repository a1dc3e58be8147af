/* Slots in shared memory: found, leased, written and read. */
#include "keys/key_store.h"

#include <string.h>

/* A slot that no worker has asked for in so long belongs to a configuration of the past. */
#define UNUSED_AFTER (10 * 60 * INT64_C(1000000))

enum { WORKER_BITS = 10 };

/* ---- slots */

struct fg_key_slot *
fg_key_slot_find(struct fg_key_store *store, uint64_t id)
{
	for (size_t i = 0; i < FG_MAX_KEY_SLOTS; i++)
		if (atomic_load(&store->slots[i].id) == id)
			return &store->slots[i];
	return NULL;
}

/* What the slot held before is forgotten: the id comes last. */
static void
forget(struct fg_key_slot *slot)
{
	atomic_store(&slot->lease, 0);
	atomic_store(&slot->version, 0);
	atomic_store(&slot->began, 0);
	atomic_store(&slot->next, 0);
	atomic_store(&slot->good, 0);
	atomic_store(&slot->expires, 0);
	atomic_store(&slot->failures, 0);
	atomic_store(&slot->state, FG_KEYS_NONE);
}

/* Two processes that take over slots for one place at once may take two: then that place costs a fetch more. */
struct fg_key_slot *
fg_key_slot_take(struct fg_key_store *store, uint64_t id, fg_usec now)
{
	struct fg_key_slot *slot = fg_key_slot_find(store, id);

	for (size_t i = 0; slot == NULL && i < FG_MAX_KEY_SLOTS; i++) {
		struct fg_key_slot *other = &store->slots[i];
		uint64_t free = 0;

		/* Whoever was faster may want the same. */
		if (atomic_compare_exchange_strong(&other->id, &free, id) || free == id)
			slot = other;
	}
	for (size_t i = 0; slot == NULL && i < FG_MAX_KEY_SLOTS; i++) {
		struct fg_key_slot *other = &store->slots[i];
		int64_t used = atomic_load(&other->used);

		if (now - used > UNUSED_AFTER && atomic_compare_exchange_strong(&other->used, &used, now)) {
			forget(other);
			atomic_store(&other->id, id);
			slot = other;
		}
	}
	if (slot != NULL)
		atomic_store(&slot->used, now);
	return slot;
}

/* ---- leases: a moment and a worker in one word, so that no two are equal */

uint64_t
fg_key_lease(fg_usec until, unsigned worker)
{
	return (uint64_t)until << WORKER_BITS | (worker & ((1u << WORKER_BITS) - 1));
}

bool
fg_key_slot_is_leased(const struct fg_key_slot *slot, fg_usec now)
{
	return (fg_usec)(atomic_load(&slot->lease) >> WORKER_BITS) > now;
}

bool
fg_key_slot_lease(struct fg_key_slot *slot, uint64_t lease, fg_usec now)
{
	uint64_t old = atomic_load(&slot->lease);

	return (fg_usec)(old >> WORKER_BITS) <= now && atomic_compare_exchange_strong(&slot->lease, &old, lease);
}

bool
fg_key_slot_holds(const struct fg_key_slot *slot, uint64_t lease)
{
	return atomic_load(&slot->lease) == lease;
}

void
fg_key_slot_release(struct fg_key_slot *slot, uint64_t lease)
{
	atomic_compare_exchange_strong(&slot->lease, &lease, 0);
}

void
fg_key_slot_break(struct fg_key_slot *slot, unsigned worker)
{
	uint64_t lease = atomic_load(&slot->lease);

	if (lease != 0 && lease == fg_key_lease((fg_usec)(lease >> WORKER_BITS), worker))
		fg_key_slot_release(slot, lease);
}

/* ---- texts */

/* Tells a copy that was overtaken, not one that was forged: who can write here is one of us. */
static uint64_t
sum_of(const char *p, size_t len)
{
	return fg_str_fnv(FG_FNV_INIT, (struct fg_str){p, len});
}

void
fg_key_slot_write(struct fg_key_slot *slot, struct fg_str text, struct fg_str etag)
{
	uint64_t version = atomic_load(&slot->version) + 1;
	struct fg_key_text *to = &slot->texts[version % 2];

	FG_ASSERT(text.len <= sizeof(to->text));
	memcpy(to->text, text.p, text.len);
	memset(to->etag, 0, sizeof(to->etag));
	if (etag.len < sizeof(to->etag) && etag.len > 0)
		memcpy(to->etag, etag.p, etag.len);
	atomic_store(&to->len, (uint32_t)text.len);
	atomic_store(&to->sum, sum_of(text.p, text.len));
	atomic_store_explicit(&slot->version, version, memory_order_release);
}

bool
fg_key_slot_read(const struct fg_key_slot *slot, struct fg_buf *text, char etag[FG_KEY_ETAG_BYTES], uint64_t *version)
{
	const struct fg_key_text *from;
	size_t len;

	*version = atomic_load_explicit(&slot->version, memory_order_acquire);
	if (*version == 0)
		return false;
	from = &slot->texts[*version % 2];
	len = atomic_load(&from->len);
	fg_buf_reset(text);
	if (len > sizeof(from->text) || !fg_buf_append(text, from->text, len))
		return false;
	memcpy(etag, from->etag, FG_KEY_ETAG_BYTES);
	etag[FG_KEY_ETAG_BYTES - 1] = '\0';
	return sum_of(text->p, text->len) == atomic_load(&from->sum);
}
