package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"purser/ledger"
	"purser/teams"
)

// form is what was sent, in a body or in an address.
type form struct{ url.Values }

// Text is a field without blanks around it.
func (f form) Text(name string) string { return strings.TrimSpace(f.Get(name)) }

// thousandsMarks are what people write between thousands.
var thousandsMarks = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", ",", "", ".", "", "'", "", "’", "")

// credits reads an amount of credits. Credits are whole, so whatever stands between digits
// stands between thousands.
func (f form) credits(name string) (int64, error) {
	text := f.Text(name)
	n, err := strconv.ParseInt(thousandsMarks.Replace(text), 10, 64)
	if err != nil || !wholeNumber(text) {
		return 0, &teams.Refusal{Class: teams.Rule, Code: "amount_invalid", Field: name, Detail: (&ledger.AmountError{}).Error()}
	}
	return n, nil
}

// wholeNumber tells apart 1,500 from 1.5: what stands between thousands has three digits
// after it.
func wholeNumber(text string) bool {
	for i, part := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if i > 0 && len(part) != 3 {
			return false
		}
	}
	return true
}

// Was is what stood in a field when the form was sent, to be shown again; the other text
// if nothing was.
func (v *visit) Was(name, otherwise string) string {
	if v.form.Values != nil && v.form.Has(name) {
		return v.form.Get(name)
	}
	if v.r.URL.Query().Has(name) {
		return v.r.URL.Query().Get(name)
	}
	return otherwise
}

// Ticked tells whether a box was ticked when the form was sent; otherwise if none was sent.
func (v *visit) Ticked(name string, otherwise bool) bool {
	if v.r.Method == http.MethodPost {
		return v.form.Has(name)
	}
	return otherwise
}

// Chosen tells whether one of several was ticked when the form was sent.
func (v *visit) Chosen(name, value string) bool { return slices.Contains(v.form.Values[name], value) }

// Wrong tells whether a field is why what was sent is refused.
func (v *visit) Wrong(name string) bool { return v.Problem != nil && v.Problem.Field == name }
