package billing

// Low tells at which share of the period's credits a pool is low: the lowest of those at
// which it is told of, in percent, and 0 of one that isn't.
func (pool Pool) Low() int64 {
	if pool.Plan == "" {
		return 0
	}
	for _, percent := range lowPercents {
		if pool.Available <= lowMark(pool.MonthlyPerSeat*max(1, pool.Seats), percent) {
			return percent
		}
	}
	return 0
}
