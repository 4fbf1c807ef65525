package billing

// Lead names the plan that gives the subscription's features and rules (B13), by the
// figures of its latest period.
func (s *Sub) Lead() string {
	if p := s.last(); p != nil {
		return p.Figures.Lead()
	}
	return ""
}

// SeatsBought are the subscription's seats (B2), by the figures of its latest period.
func (s *Sub) SeatsBought() int64 {
	p := s.last()
	if p == nil || !s.Facts.Status.countsSeats() {
		return 0
	}
	return p.Figures.seats(s.Facts.Items)
}
