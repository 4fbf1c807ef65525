package billing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// The rules that a catalogue can break, as CatalogError.Rule names them.
const (
	CatalogRuleSize           = "size"            // over 1 MiB
	CatalogRuleEncoding       = "encoding"        // not UTF-8, or a control character
	CatalogRuleSyntax         = "syntax"          // not YAML
	CatalogRuleEmpty          = "empty"           // nothing for sale
	CatalogRuleOneDocument    = "one_document"    // a second YAML document
	CatalogRulePlainYAML      = "plain_yaml"      // anchor, alias, merge key or tag
	CatalogRuleUnknownKey     = "unknown_key"     // a key that means nothing here
	CatalogRuleDuplicateKey   = "duplicate_key"   // the same key twice in one mapping
	CatalogRuleType           = "type"            // text for a number, a list for a mapping, …
	CatalogRuleMissing        = "missing"         // something required isn't there
	CatalogRuleWholeNumber    = "whole_number"    // a fraction or another notation
	CatalogRuleRange          = "range"           // zero, negative, too large, too long
	CatalogRuleName           = "name"            // letters that a name may not have
	CatalogRuleUnknownValue   = "unknown_value"   // none of the words that are known here
	CatalogRuleDuration       = "duration"        // not a duration such as 24h or 3d
	CatalogRuleInterval       = "interval"        // a price by day or week, or of a pack by month
	CatalogRulePriceName      = "price_name"      // neither or both of id and lookup_key
	CatalogRuleDuplicatePrice = "duplicate_price" // one price in two places
	CatalogRuleDuplicateName  = "duplicate_name"  // two plans or two packs of one name
	CatalogRuleDuplicateValue = "duplicate_value" // the same entry twice in a list
	CatalogRuleUnknownPack    = "unknown_pack"    // top_up names a pack that isn't there
	CatalogRuleContradiction  = "contradiction"   // two keys that can't both be meant
)

// CatalogError is one broken rule and where it is broken.
type CatalogError struct {
	File    string
	Line    int // counted from 1
	Column  int // counted from 1; 0 when only the line is known
	Path    string
	Rule    string // one of the CatalogRule constants
	Message string
}

// Error reads as compilers write: file, line, column, then what is wrong there.
func (e *CatalogError) Error() string {
	return fmt.Sprintf("%s: %s [%s]", catalogPlace(e.File, e.Line, e.Column, e.Path), e.Message, e.Rule)
}

// CatalogWarning is something that a catalogue may say but that surprises
// people. Rule is the domain's number of the rule that makes it so.
type CatalogWarning struct {
	File    string
	Line    int
	Column  int
	Path    string
	Rule    string
	Message string
}

// String reads like a CatalogError.
func (w CatalogWarning) String() string {
	return fmt.Sprintf("%s: %s [%s]", catalogPlace(w.File, w.Line, w.Column, w.Path), w.Message, w.Rule)
}

// CatalogErrors takes apart what ParseCatalog or LoadCatalog returned, in the
// order of the file. It is empty when the file couldn't even be read.
func CatalogErrors(err error) []*CatalogError {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return nil
	}
	var found []*CatalogError
	for _, one := range joined.Unwrap() {
		var broken *CatalogError
		if errors.As(one, &broken) {
			found = append(found, broken)
		}
	}
	return found
}

func catalogPlace(file string, line, column int, path string) string {
	place := fmt.Sprintf("%s:%d", file, line)
	if column > 0 {
		place += fmt.Sprintf(":%d", column)
	}
	if path != "" {
		place += ": " + path
	}
	return place
}

// joinCatalogErrors puts the errors in the order of the file: they are found in
// the order of reading, which is another.
func joinCatalogErrors(found []*CatalogError) error {
	slices.SortStableFunc(found, func(a, b *CatalogError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	all := make([]error, len(found))
	for i, one := range found {
		all[i] = one
	}
	return errors.Join(all...)
}
