/* The budget for retries and hedges: see budget.h. */
#include "service/budget.h"

#include "service/service.h"
#include "service/targets.h"

enum {
	TRY = 1000,                /* what one costs, in thousandths */
	CREDIT_FIRST = 10 * TRY,   /* what a service has at first: few requests can be retried too */
	CREDIT_MOST = 100 * TRY,
};

static void
add(const struct fg_service *service, int64_t credit)
{
	_Atomic int64_t *at = &service->state->retry_credit;

	if (atomic_load_explicit(at, memory_order_relaxed) < CREDIT_MOST - CREDIT_FIRST)
		atomic_fetch_add_explicit(at, credit, memory_order_relaxed);
}

void
fg_budget_earn(const struct fg_service *service)
{
	add(service, (int64_t)service->budget * TRY / 100);
}

void
fg_budget_give_back(const struct fg_service *service)
{
	add(service, TRY);
}

bool
fg_budget_take(const struct fg_service *service)
{
	int64_t credit = atomic_load_explicit(&service->state->retry_credit, memory_order_relaxed);

	if (service->budget == 0)
		return false;
	do {
		if (credit + CREDIT_FIRST < TRY)
			return false;
	} while (!atomic_compare_exchange_weak(&service->state->retry_credit, &credit, credit - TRY));
	return true;
}
