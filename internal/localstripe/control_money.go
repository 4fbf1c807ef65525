package localstripe

import "net/http"

// moreControl is what banks and customers do on their own: disputes, failed refunds, authentication.
func (s *Server) moreControl(routes map[string]func(r *http.Request) (any, error)) {
	routes["POST /_local/charges/{id}/dispute"] = s.controlDispute
	routes["POST /_local/disputes/{id}"] = s.controlCloseDispute
	routes["POST /_local/refunds/{id}/fail"] = func(r *http.Request) (any, error) { return obj{}, s.FailRefund(r.PathValue("id")) }
	routes["POST /_local/payment_intents/{id}/authenticate"] = s.controlAuthenticate
}

func (s *Server) controlDispute(r *http.Request) (any, error) {
	var in Dispute
	if err := body(r, &in); err != nil {
		return nil, err
	}
	id, err := s.OpenDispute(r.PathValue("id"), in)
	return obj{"dispute": id}, err
}

func (s *Server) controlCloseDispute(r *http.Request) (any, error) {
	var in struct{ Status string }
	if err := body(r, &in); err != nil {
		return nil, err
	}
	return obj{}, s.CloseDispute(r.PathValue("id"), in.Status)
}

func (s *Server) controlAuthenticate(r *http.Request) (any, error) {
	in := struct{ OK bool }{OK: true}
	if err := body(r, &in); err != nil {
		return nil, err
	}
	return obj{}, s.Authenticate(r.PathValue("id"), in.OK)
}

// Authenticate answers the bank's question about a payment that requires_action, as its owner would.
func (s *Server) Authenticate(id string, ok bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause{}
	pi, err := s.intent(id, "id")
	if err != nil {
		return err
	}
	if pi.status != "requires_action" {
		return invalidCode("payment_intent_unexpected_state", "", "This PaymentIntent waits for no authentication: it is %s.", pi.status)
	}
	if ok {
		if refusal := s.attempt(pi, pi.method, false, true); refusal != nil {
			return refusal
		}
		return nil
	}
	s.decline(pi, pi.method, &apiError{
		status: 402, kind: "card_error", code: "payment_intent_authentication_failure", message: "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
	})
	return nil
}
