package main

import (
	"fmt"
	"io"
	"strings"
)

// helpCommand shows the whole command line at once.
type helpCommand struct {
	Of       []string `arg:"" optional:"" name:"command" help:"Show the help of this command only."`
	Markdown bool     `help:"Print the table of settings as the README has it."`
}

// Run shows it.
func (c *helpCommand) Run(p *program) error {
	if len(c.Of) > 0 {
		if code := p.run(append(c.Of, "--help")...); code != exitDone {
			return errFound
		}
		return nil
	}
	settings := p.line.settings()
	if c.Markdown {
		return printMarkdown(p.out, settings)
	}
	if _, err := fmt.Fprintln(p.out, "Commands (purser COMMAND --help says more):"); err != nil {
		return err
	}
	var rows [][]string
	for _, leaf := range p.line.parser.Model.Leaves(true) {
		rows = append(rows, []string{"  " + leaf.Path(), leaf.Help})
	}
	if err := printTable(p.out, nil, rows); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(p.out, "\nSettings (a flag wins over its variable):"); err != nil {
		return err
	}
	rows = nil
	for _, s := range settings {
		rows = append(rows, []string{"  " + s.flag, s.variable, s.value, s.where, s.help})
	}
	return printTable(p.out, []string{"  FLAG", "VARIABLE", "DEFAULT", "OF", "WHAT"}, rows)
}

// setting is a flag, in all the commands where it means the same.
type setting struct {
	flag, variable, value, where, help string
}

// settings are all flags: those with a variable first, then the others, each in the order
// of the commands.
func (l *commandLine) settings() []setting {
	type meaning struct{ flag, variable, value, help string }
	var order []meaning
	of := map[meaning][]string{}
	for _, leaf := range l.parser.Model.Leaves(true) {
		for _, flag := range leaf.Flags {
			m := meaning{"--" + flag.Name, l.envs[flag.Value], flag.Default, flag.Help}
			if of[m] == nil {
				order = append(order, m)
			}
			of[m] = append(of[m], leaf.Path())
		}
	}
	var first, then []setting
	for _, m := range order {
		s := setting{m.flag, m.variable, m.value, where(of[m]), m.help}
		if m.variable != "" {
			first = append(first, s)
		} else {
			then = append(then, s)
		}
	}
	return append(first, then...)
}

// where names the commands, unless they are too many to read.
func where(commands []string) string {
	if len(commands) > 4 {
		return fmt.Sprintf("%d commands", len(commands))
	}
	return strings.Join(commands, ", ")
}

// printMarkdown writes the settings as the README's table.
func printMarkdown(w io.Writer, settings []setting) error {
	var b strings.Builder
	b.WriteString("| Flag | Variable | Default | Of | What |\n| --- | --- | --- | --- | --- |\n")
	code := func(text string) string {
		if text == "" {
			return ""
		}
		return "`" + strings.ReplaceAll(text, "|", "\\|") + "`"
	}
	for _, s := range settings {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(s.flag), code(s.variable), code(s.value), s.where, s.help)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
