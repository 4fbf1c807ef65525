package localstripe

import "net/http"

// replay is the answer that an idempotency key got the first time.
type replay struct {
	request string
	asked   string // method, path and parameters
	at      int64
	status  int
	body    []byte
}

// keyLife is how long an answer is replayed, by the default clock.
const keyLife = 24 * 3600

func (s *Server) replayed(c *call, key string) (*replay, error) {
	if len(key) > 255 {
		return nil, &apiError{status: 400, kind: "idempotency_error", message: "Idempotency keys may be up to 255 characters long."}
	}
	before, ok := s.replays[key]
	if !ok || s.clock.now-before.at >= keyLife {
		return nil, nil
	}
	if before.asked != asked(c) {
		return nil, &apiError{
			status: 400, kind: "idempotency_error",
			message: "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + key + "' if you meant to execute a different request.",
		}
	}
	return before, nil
}

func (s *Server) keep(c *call, key string, r replay) {
	r.asked, r.at = asked(c), s.clock.now
	s.replays[key] = &r
}

func asked(c *call) string {
	return c.request.Method + " " + c.request.URL.Path + "?" + c.canonical()
}

// worthKeeping leaves out answers of requests that never began to be carried out: bad parameters,
// a bad key, a conflict, a rate limit.
func worthKeeping(status int) bool {
	return status < 400 || status == http.StatusPaymentRequired || status >= 500
}
