package main

import "log/slog"

// secret is a setting that nobody may read in a log, an error or a help text. Whatever
// prints it prints that it is there.
type secret string

const hidden = "[hidden]"

// reveal is the only way to the text itself.
func (s secret) reveal() string { return string(s) }

func (s secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString keeps it out of %#v.
func (s secret) GoString() string { return s.String() }

// MarshalText keeps it out of JSON.
func (s secret) MarshalText() ([]byte, error) { //nolint:unparam // encoding.TextMarshaler
	return []byte(s.String()), nil
}

// LogValue keeps it out of logs.
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
