package web

import (
	"html/template"
	"net/http"
	"strings"
	"time"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// speech is how the page speaks with one viewer: the language of its texts, the locale of
// numbers, and the zone of instants.
type speech struct {
	texts    map[string]string
	language language.Tag // of the texts
	numbers  *message.Printer
	zone     *time.Location
	told     bool // the zone was told, by the product or by the browser
}

// speechFor finds out how: as the product says when it asks for the session, else as the
// browser does.
func (s *Server) speechFor(r *http.Request, locale, zone string) *speech {
	wishes, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if tag, err := language.Parse(locale); err == nil {
		wishes = append([]language.Tag{tag}, wishes...)
	}
	tag := language.English
	if len(wishes) > 0 {
		tag = wishes[0]
	}
	_, index, _ := s.texts.matcher.Match(wishes...)
	sp := &speech{texts: s.texts.texts[index], language: s.texts.tags[index], numbers: message.NewPrinter(tag), zone: time.UTC}
	if zone == "" {
		if c, err := r.Cookie(zoneCookie); err == nil {
			zone = strings.ReplaceAll(c.Value, "%2F", "/")
		}
	}
	if zone != "" && zone != "Local" && len(zone) <= 64 {
		if at, err := time.LoadLocation(zone); err == nil {
			sp.zone, sp.told = at, true
		}
	}
	return sp
}

// Lang is the language of the texts, for the document.
func (s *speech) Lang() string { return s.language.String() }

// ZoneTold tells whether the zone is known rather than UTC for want of a better one.
func (s *speech) ZoneTold() bool { return s.told }

// Zone names the zone, for who wonders.
func (s *speech) Zone() string { return s.zone.String() }

// N is a number as the viewer writes it.
func (s *speech) N(n int64) string { return s.numbers.Sprint(number.Decimal(n)) }

// Percent is a share as the viewer writes it.
func (s *speech) Percent(part, whole int64) string {
	if whole <= 0 {
		return ""
	}
	return s.numbers.Sprint(number.Percent(float64(part)/float64(whole), number.MaxFractionDigits(0)))
}

// Money is an amount in a currency's smallest unit. How many of these make one the
// currency says.
func (s *speech) Money(amount int64, code string) string {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return s.N(amount) + " " + strings.ToUpper(code)
	}
	scale, _ := currency.Standard.Rounding(unit)
	one := int64(1)
	for range scale {
		one *= 10
	}
	// Beyond 2^53 a double would show other cents; no payment is that large.
	return s.numbers.Sprint(number.Decimal(float64(amount)/float64(one), number.Scale(scale))) + " " + unit.String()
}

// Day is a day as the viewer has it.
func (s *speech) Day(t time.Time) string {
	t = t.In(s.zone)
	months := strings.Split(s.T("date.months"), " ")
	return strings.NewReplacer("{day}", t.Format("2"), "{month}", months[t.Month()-1], "{year}", t.Format("2006")).Replace(s.T("date.day"))
}

// UTCDay is a day that is counted in UTC, wherever the viewer is.
func (s *speech) UTCDay(t time.Time) string {
	utc := *s
	utc.zone = time.UTC
	return utc.Day(t)
}

// shortDay is a day without its year, for a chart.
func (s *speech) shortDay(d dayUsed) string {
	months := strings.Split(s.T("date.months"), " ")
	return strings.NewReplacer("{day}", d.Day.Format("2"), "{month}", months[d.Day.Month()-1]).Replace(s.T("date.short"))
}

// Moment is an instant as the viewer has it.
func (s *speech) Moment(t time.Time) string {
	return strings.NewReplacer("{day}", s.Day(t), "{time}", t.In(s.zone).Format("15:04")).Replace(s.T("date.moment"))
}

// Time is an instant for people and for programs.
func (s *speech) Time(t time.Time) template.HTML { return timeHTML(t, s.Moment(t)) }

// Date is the day of an instant for people and for programs.
func (s *speech) Date(t time.Time) template.HTML { return timeHTML(t, s.Day(t)) }

func timeHTML(t time.Time, text string) template.HTML {
	//nolint:gosec // an instant in its standard form, and an escaped text
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + template.HTMLEscapeString(text) + `</time>`)
}
