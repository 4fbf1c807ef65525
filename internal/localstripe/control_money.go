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
