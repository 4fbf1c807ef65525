package localstripe

// afterCharge does what some test cards do once they were charged.
func (s *Server) afterCharge(*charge) {}
