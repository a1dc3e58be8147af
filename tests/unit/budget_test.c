/* lib/service/budget.c: what a service is asked beyond its requests. */
#include "service/budget.h"

#include <stdlib.h>

#include "service/service.h"
#include "service/targets.h"
#include "unit/unit.h"

static unsigned
take_all(const struct fg_service *service)
{
	unsigned count = 0;

	while (count < 1000 && fg_budget_take(service))
		count++;
	return count;
}

static void
a_share_of_the_requests(void)
{
	struct fg_target_state state = {.retry_credit = 0};
	const struct fg_service service = {.state = &state, .budget = 20};

	CU_ASSERT_EQUAL(take_all(&service), 10);
	for (int i = 0; i < 4; i++)
		fg_budget_earn(&service);
	CU_ASSERT(!fg_budget_take(&service));
	fg_budget_earn(&service);
	CU_ASSERT(fg_budget_take(&service));
	CU_ASSERT(!fg_budget_take(&service));
	fg_budget_give_back(&service);
	CU_ASSERT_EQUAL(take_all(&service), 1);
}

static void
quiet_times_save_up_a_hundred(void)
{
	struct fg_target_state state = {.retry_credit = 0};
	const struct fg_service service = {.state = &state, .budget = 100};

	for (int i = 0; i < 1000; i++)
		fg_budget_earn(&service);
	CU_ASSERT_EQUAL(take_all(&service), 100);
}

static void
none_is_none(void)
{
	struct fg_target_state state = {.retry_credit = 0};
	const struct fg_service service = {.state = &state, .budget = 0};

	fg_budget_earn(&service);
	CU_ASSERT(!fg_budget_take(&service));
}

void
suite_budget(void)
{
	CU_pSuite suite = CU_add_suite("budget", NULL, NULL);

	ADD_TEST(suite, a_share_of_the_requests);
	ADD_TEST(suite, quiet_times_save_up_a_hundred);
	ADD_TEST(suite, none_is_none);
}
