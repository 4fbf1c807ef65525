package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// formOn is a form as the page has it.
type formOn struct {
	action string
	method string
	fields url.Values
}

var (
	formTag   = regexp.MustCompile(`(?s)<form\b([^>]*)>(.*?)</form>`)
	inputTag  = regexp.MustCompile(`(?s)<(?:input|button)\b([^>]*)>`)
	selectTag = regexp.MustCompile(`(?s)<select\b([^>]*)>(.*?)</select>`)
	optionTag = regexp.MustCompile(`(?s)<option\b([^>]*)>`)
	textArea  = regexp.MustCompile(`(?s)<textarea\b([^>]*)>(.*?)</textarea>`)
	attribute = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
	unescape  = strings.NewReplacer("&#39;", "'", "&amp;", "&", "&#43;", "+", "&lt;", "<", "&gt;", ">", "&#34;", `"`)
)

func attributes(tag string) map[string]string {
	all := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
		all[m[1]] = unescape.Replace(m[2])
	}
	return all
}

// form finds the form that leads to a path, with what stands in it.
func (b *browser) form(action string) formOn {
	b.T.Helper()
	return b.formBy(action, "")
}

// formBy is form for one of two that lead to the same path.
func (b *browser) formBy(action, method string) formOn {
	b.T.Helper()
	for _, m := range formTag.FindAllStringSubmatch(b.body, -1) {
		attrs := attributes(m[1])
		if attrs["action"] != action || method != "" && !strings.EqualFold(attrs["method"], method) {
			continue
		}
		f := formOn{action: action, method: strings.ToUpper(attrs["method"]), fields: url.Values{}}
		for _, i := range inputTag.FindAllStringSubmatch(m[2], -1) {
			a := attributes(i[1])
			_, checked := a["checked"]
			ticked := a["type"] == "checkbox" || a["type"] == "radio"
			if a["name"] != "" && a["type"] != "submit" && (!ticked || checked) {
				f.fields.Add(a["name"], a["value"])
			}
		}
		for _, s := range selectTag.FindAllStringSubmatch(m[2], -1) {
			options := optionTag.FindAllStringSubmatch(s[2], -1)
			for i, o := range options {
				a := attributes(o[1])
				if _, chosen := a["selected"]; chosen || i == 0 {
					f.fields.Set(attributes(s[1])["name"], a["value"])
				}
			}
		}
		for _, area := range textArea.FindAllStringSubmatch(m[2], -1) {
			f.fields.Set(attributes(area[1])["name"], unescape.Replace(area[2]))
		}
		return f
	}
	b.T.Fatalf("%s has no form to %s: %s", b.at, action, b.body)
	return formOn{}
}

// submit fills a form of the page and sends it, as a browser without JavaScript does.
func (b *browser) submit(action string, values ...string) *browser {
	b.T.Helper()
	f := b.form(action)
	for i := 0; i < len(values); i += 2 {
		f.fields[values[i]] = []string{values[i+1]}
	}
	return b.sendForm(f)
}

func (b *browser) sendForm(f formOn) *browser {
	b.T.Helper()
	if f.method != http.MethodPost {
		return b.get(f.action + "?" + f.fields.Encode())
	}
	r, err := http.NewRequestWithContext(b.T.Context(), http.MethodPost, b.world.url+f.action, strings.NewReader(f.fields.Encode()))
	if err != nil {
		b.T.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", b.world.url)
	return b.send(r)
}

// secondForm is the form that is posted, where one that looks first has the same path.
func (b *browser) secondForm(action string) formOn {
	b.T.Helper()
	return b.formBy(action, http.MethodPost)
}

var anchor = regexp.MustCompile(`(?s)<a\b([^>]*)>(.*?)</a>`)

// leadsTo is where a link with that text leads.
func (b *browser) leadsTo(text string) string {
	b.T.Helper()
	for _, m := range anchor.FindAllStringSubmatch(b.body, -1) {
		if strings.TrimSpace(visibleText(m[2])) == text {
			return attributes(m[1])["href"]
		}
	}
	b.T.Fatalf("%s has no link %q", b.at, text)
	return ""
}
