package localstripe

import "fmt"

// apiError is an error as Stripe words it. Its fields become the "error" object of the answer.
type apiError struct {
	status      int
	kind        string // Stripe's "type"
	code        string
	declineCode string
	message     string
	param       string
	charge      string
	intent      *paymentIntent // embedded as error.payment_intent after a declined payment
	method      *paymentMethod
}

func (e *apiError) Error() string { return e.message }

// render needs the server because an embedded PaymentIntent is a whole object.
func (e *apiError) render(s *Server) obj {
	o := obj{"type": e.kind, "message": e.message}
	if e.code != "" {
		o["code"] = e.code
		o["doc_url"] = "https://stripe.com/docs/error-codes/" + e.code
	}
	for name, value := range map[string]string{"param": e.param, "decline_code": e.declineCode, "charge": e.charge} {
		if value != "" {
			o[name] = value
		}
	}
	if e.intent != nil {
		o["payment_intent"] = e.intent.render(s)
	}
	if e.method != nil {
		o["payment_method"] = e.method.render(s)
	}
	return obj{"error": o}
}

const invalidRequest = "invalid_request_error"

func invalid(param, format string, args ...any) *apiError {
	return &apiError{status: 400, kind: invalidRequest, param: param, message: fmt.Sprintf(format, args...)}
}

func invalidCode(code, param, format string, args ...any) *apiError {
	err := invalid(param, format, args...)
	err.code = code
	return err
}

func missingParam(param string) *apiError {
	return invalidCode("parameter_missing", param, "Missing required param: %s.", param)
}

// noSuch is Stripe's answer for an id in the path; in a parameter the status is 400.
func noSuch(status int, kind, id, param string) *apiError {
	return &apiError{
		status: status, kind: invalidRequest, code: "resource_missing", param: param,
		message: fmt.Sprintf("No such %s: '%s'", kind, id),
	}
}
