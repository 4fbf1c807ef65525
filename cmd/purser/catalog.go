package main

import "purser/billing"

// catalogCheckCommand checks a catalogue.
type catalogCheckCommand struct {
	File    string       `arg:"" optional:"" help:"The file to check. Default: the catalogue in use."`
	Catalog catalogFlags `embed:""`
	Show    showFlags    `embed:""`
}

// Run prints every error with its line, or what the catalogue means and what in it may
// surprise people.
func (c *catalogCheckCommand) Run(p *program) error {
	if c.File != "" {
		c.Catalog.Catalog = c.File
	}
	catalog, err := c.Catalog.load()
	if broken := billing.CatalogErrors(err); len(broken) > 0 {
		return c.broken(p, broken)
	}
	if err != nil {
		return err
	}
	if c.Show.JSON {
		return printJSON(p.out, viewCatalog(catalog))
	}
	catalog.Describe(p.out)
	return nil
}

func (c *catalogCheckCommand) broken(p *program, broken []*billing.CatalogError) error {
	if c.Show.JSON {
		if err := printJSON(p.out, map[string][]remarkView{"errors": mapped(broken, viewBroken)}); err != nil {
			return err
		}
		return errFound
	}
	rows := make([][]string, len(broken))
	for i, one := range broken {
		rows[i] = []string{one.Error()}
	}
	if err := printTable(p.out, nil, rows); err != nil {
		return err
	}
	return errFound
}

func viewBroken(e *billing.CatalogError) remarkView { return remarkView(*e) }
