package localstripe

import "maps"

// metadata reads the metadata parameter over what stood there: an empty value removes its key, and an
// empty parameter removes all.
func (p *params) metadata(before map[string]string) map[string]string {
	k := p.at("metadata")
	if k.given && k.value == "" {
		return map[string]string{}
	}
	after := maps.Clone(before)
	if after == nil {
		after = map[string]string{}
	}
	for _, name := range k.names {
		value := k.at(name).value
		switch {
		case len([]rune(name)) > 40:
			p.fail(invalid(k.path, "Metadata keys can have up to 40 characters; %q is too long.", name))
		case len([]rune(value)) > 500:
			p.fail(invalid(k.path, "Metadata values can have up to 500 characters, but you passed in a value that is %d characters. Invalid value: %s", len([]rune(value)), value))
		case value == "":
			delete(after, name)
		default:
			after[name] = value
		}
	}
	if len(after) > 50 {
		p.fail(invalid(k.path, "You can only have up to 50 metadata keys."))
	}
	return after
}

func renderMetadata(m map[string]string) obj {
	o := obj{}
	for name, value := range m {
		o[name] = value
	}
	return o
}
