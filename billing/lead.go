package billing

import "time"

// Leading is the subscription whose plan gives a team its features and rules: the one
// that has not ended, whatever its status; else one whose last credit month still runs.
func (s *State) Leading(at time.Time) *Sub {
	if sub := s.living(); sub != nil && sub.last() != nil {
		return sub
	}
	_, _, sub := s.CurrentPeriod(at)
	return sub
}

// Lead names the plan that gives the subscription's features and rules (B13).
func (s *Sub) Lead(c *Catalog) string {
	return s.figuresNow(c).Lead()
}

// SeatsBought are the subscription's seats (B2).
func (s *Sub) SeatsBought(c *Catalog) int64 {
	if !s.Facts.Status.countsSeats() {
		return 0
	}
	return s.figuresNow(c).seats(s.Facts.Items)
}

// figuresNow says what is bought now: prices that the latest period knows count as it
// says, and those that came since by the catalogue. While a subscription is past due,
// say, its period doesn't follow what is bought, but its seats do.
func (s *Sub) figuresNow(c *Catalog) *Figures {
	var latest *Figures
	if p := s.last(); p != nil {
		latest = p.Figures
	}
	return figure(c, s.Facts.Items, latest)
}
