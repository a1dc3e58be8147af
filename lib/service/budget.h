/*
 * How much a service is asked beyond what clients ask of it. Retries and hedges of the whole pool come out of one budget, a
 * share of the service's requests, so that they never make an outage worse. It lies in the service's shared record.
 */
#ifndef FG_SERVICE_BUDGET_H
#define FG_SERVICE_BUDGET_H

#include <stdbool.h>

#include "base/assert.h"

struct fg_service;

/* A request was sent to the service: it may be given a little more. */
void fg_budget_earn(const struct fg_service *service);
/* For one retry or hedge; false: there is not enough left. */
FG_MUST_CHECK bool fg_budget_take(const struct fg_service *service);
/* It was not made after all. */
void fg_budget_give_back(const struct fg_service *service);

#endif
