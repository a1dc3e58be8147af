/* lib/core/limit_script: what Redis may answer, and what of it is believed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "limit/limit_script.h"
#include "unit/unit.h"

#define NOW INT64_C(1790000000000000)

enum { NUMBERS = 9 };

static struct fg_limit_ask asks[2];
static const uint8_t order[2] = {1, 0};

/* This machine's doubles have their low byte first, as the script's; the reader does not depend on it. */
static enum fg_limit_script_answer
read_numbers(const double *numbers, size_t count, size_t cut, fg_usec *now)
{
	char bytes[(NUMBERS + 1) * 8];

	for (size_t i = 0; i < count; i++) {
		uint64_t bits;

		memcpy(&bits, &numbers[i], sizeof(bits));
		for (unsigned k = 0; k < 8; k++)
			bytes[8 * i + k] = (char)(bits >> (8 * k));
	}
	return fg_limit_script_read((struct fg_str){bytes, 8 * count - cut}, asks, order, 2, now);
}

static void
answers_are_read(void)
{
	const double numbers[NUMBERS] = {NOW, 1, NOW + 5, 7, 0, 0, 3, 0, NOW + 9};
	fg_usec now = 0;

	CU_ASSERT_EQUAL(read_numbers(numbers, NUMBERS, 0, &now), FG_LIMIT_SCRIPT_DONE);
	CU_ASSERT_EQUAL(now, NOW);
	CU_ASSERT(asks[1].reading.allowed);
	CU_ASSERT_EQUAL(asks[1].reading.x, NOW + 5);
	CU_ASSERT_EQUAL(asks[1].reading.y, 7);
	CU_ASSERT(!asks[0].reading.allowed);
	CU_ASSERT_EQUAL(asks[0].reading.x, 3);
	CU_ASSERT_EQUAL(asks[0].reading.z, NOW + 9);
	CU_ASSERT_EQUAL(read_numbers(numbers, 1, 0, &now), FG_LIMIT_SCRIPT_OUTSIDE);
}

static void
garbage_is_not(void)
{
	const double bad[] = {NAN, INFINITY, -INFINITY, 0.5, 9007199254740992.0, -9007199254740992.0, 1e300};
	const double good[NUMBERS] = {NOW, 1, NOW + 5, 7, 0, 0, 3, 0, NOW + 9};
	fg_usec now;

	for (size_t cut = 1; cut < 8 * NUMBERS; cut++)
		CU_ASSERT(cut == 8 * (NUMBERS - 1) || read_numbers(good, NUMBERS, cut, &now) == FG_LIMIT_SCRIPT_GARBAGE);
	CU_ASSERT_EQUAL(read_numbers(good, 0, 0, &now), FG_LIMIT_SCRIPT_GARBAGE);
	for (size_t i = 0; i < NUMBERS; i++) {
		for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
			double numbers[NUMBERS];

			memcpy(numbers, good, sizeof(numbers));
			numbers[i] = bad[k];
			CU_ASSERT_EQUAL(read_numbers(numbers, NUMBERS, 0, &now), FG_LIMIT_SCRIPT_GARBAGE);
		}
	}
	/* No time at all. */
	CU_ASSERT_EQUAL(read_numbers((const double[]){0}, 1, 0, &now), FG_LIMIT_SCRIPT_GARBAGE);
	CU_ASSERT_EQUAL(read_numbers((const double[]){-1}, 1, 0, &now), FG_LIMIT_SCRIPT_GARBAGE);
}

void
suite_limit_script(void)
{
	CU_pSuite suite = CU_add_suite("limit_script", NULL, NULL);

	ADD_TEST(suite, answers_are_read);
	ADD_TEST(suite, garbage_is_not);
}
