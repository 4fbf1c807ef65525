package billing

import (
	_ "embed"
	"fmt"
)

//go:embed catalog_demo.yaml
var demoCatalogSource []byte

// DemoCatalog is the catalogue of the demo and of development. Its prices carry
// amounts, so that they can be created at the local Stripe. Each call returns a
// catalogue of its own. A test holds that the embedded file parses.
func DemoCatalog() *Catalog {
	catalog, err := ParseCatalog("catalog_demo.yaml", demoCatalogSource)
	if err != nil {
		panic(fmt.Sprintf("billing: the embedded demo catalogue is broken: %v", err))
	}
	return catalog
}
