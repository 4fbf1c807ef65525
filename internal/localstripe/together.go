package localstripe

// pendingEvent waits for the end of the change that it is part of.
type pendingEvent struct {
	clock        *clock
	kind         string
	about        entity // when set, the snapshot is taken at the end
	object, prev obj
}

// endSnapshots are told when the whole change is over: when Stripe bills at once, invoice.created already
// says that the invoice is paid.
var endSnapshots = map[string]bool{
	"invoice.created": true, "invoice.finalized": true, "customer.subscription.created": true,
}

// together carries out one change whose events appear only when it is over, in the order of telling.
func (s *Server) together(do func()) {
	if s.batch != nil {
		do()
		return
	}
	s.batch = &[]pendingEvent{}
	do()
	events := *s.batch
	s.batch = nil
	for _, e := range events {
		if e.about != nil {
			e.object = e.about.render(s)
		}
		s.emit(e.clock, e.kind, e.object, e.prev)
	}
}
