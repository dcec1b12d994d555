package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// plugin is one plugin of a pipeline: its settings by name, and the tag that an event must have, if it stands in an
// `if "tag" in [tags]`.
type plugin struct {
	name     string
	settings map[string]any
	tag      string
}

// text returns a setting, or "" where there is none: of a list the first entry.
func (p plugin) text(name string) string {
	switch value := p.settings[name].(type) {
	case string:
		return value
	case []any:
		if len(value) > 0 {
			return fmt.Sprint(value[0])
		}
	}
	return ""
}

// configuration is a pipeline, taken apart: the plugins of its sections input, filter and output, in their order.
type configuration map[string][]plugin

// parser reads Logstash's language: logstash-core/src/main/.../config/grammar.treetop of github.com/elastic/logstash.
type parser struct {
	text  string
	place int
	found configuration
}

var (
	blank     = regexp.MustCompile(`^(?:\s+|#[^\n]*(?:\n|$))+`)
	name      = regexp.MustCompile(`^[A-Za-z0-9_-]+`)
	bare      = regexp.MustCompile(`^-?[A-Za-z0-9_][A-Za-z0-9_.]*`)
	quoted    = regexp.MustCompile(`^(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')`)
	condition = regexp.MustCompile(`^(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|/(?:\\.|[^/\\])*/|\[[^\]]*\]|[^{"'/\[])+`)
	hasTag    = regexp.MustCompile(`^"([^"]+)" in \[tags\]$`)
	variable  = regexp.MustCompile(`\$\{([a-zA-Z_.][a-zA-Z0-9_.]*)(:([^}]*))?\}`)
)

// parse takes a pipeline apart. Its errors name the line, as Logstash's do.
func parse(text string) (found configuration, err error) {
	p := &parser{text: text, found: configuration{}}
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v at line %d", problem, 1+strings.Count(p.text[:p.place], "\n"))
		}
	}()
	for p.skip(); p.place < len(p.text); p.skip() {
		section := p.take(name, "input, filter, output")
		if section != "input" && section != "filter" && section != "output" {
			panic(fmt.Sprintf("Expected one of input, filter, output, found %q", section))
		}
		p.block(func() { p.entry(section, "") })
	}
	return p.found, nil
}

func (p *parser) skip() { p.place += len(blank.FindString(p.text[p.place:])) }

func (p *parser) take(what *regexp.Regexp, expected string) string {
	p.skip()
	found := what.FindString(p.text[p.place:])
	if found == "" {
		panic(fmt.Sprintf("Expected one of %s, found %.20q", expected, p.text[p.place:]))
	}
	p.place += len(found)
	return found
}

func (p *parser) comes(word string) bool {
	p.skip()
	if !strings.HasPrefix(p.text[p.place:], word) {
		return false
	}
	p.place += len(word)
	return true
}

func (p *parser) expect(word string) {
	if !p.comes(word) {
		panic(fmt.Sprintf("Expected %q, found %.20q", word, p.text[p.place:]))
	}
}

func (p *parser) block(entry func()) {
	p.expect("{")
	for !p.comes("}") {
		entry()
	}
}

// entry reads a plugin, or an if with what hangs on it. Of conditions only the one for a tag is understood, and only
// there does it matter: filters do not run.
func (p *parser) entry(section, tag string) {
	word := p.take(name, "if, a plugin")
	if word != "if" {
		p.found[section] = append(p.found[section], plugin{word, p.hash(func() { p.expect("=>") }), tag})
		return
	}
	for {
		test := strings.TrimSpace(p.take(condition, "a condition"))
		if match := hasTag.FindStringSubmatch(test); match != nil {
			tag = match[1]
		} else if section == "output" {
			panic(fmt.Sprintf("the stand-in does not know the condition %q of an output", test))
		}
		p.block(func() { p.entry(section, tag) })
		if !p.comes("else") {
			return
		}
		if section == "output" {
			panic("the stand-in does not know else in an output")
		}
		if !p.comes("if") {
			p.block(func() { p.entry(section, tag) })
			return
		}
	}
}

func (p *parser) hash(between func()) map[string]any {
	values := map[string]any{}
	p.block(func() {
		key := p.word()
		between()
		values[key] = p.value()
		p.comes(",")
	})
	return values
}

func (p *parser) word() string {
	p.skip()
	if text := quoted.FindString(p.text[p.place:]); text != "" {
		p.place += len(text)
		return text[1 : len(text)-1]
	}
	return p.take(bare, "a name, a text")
}

func (p *parser) value() any {
	p.skip()
	switch {
	case strings.HasPrefix(p.text[p.place:], "{"):
		return p.hash(func() { p.expect("=>") })
	case p.comes("["):
		values := []any{}
		for !p.comes("]") {
			values = append(values, p.value())
			p.comes(",")
		}
		return values
	}
	return p.word()
}

// substitute fills in ${NAME} and ${NAME:default} everywhere in a value.
func substitute(value any) (any, error) {
	switch value := value.(type) {
	case string:
		var missing error
		filled := variable.ReplaceAllStringFunc(value, func(reference string) string {
			match := variable.FindStringSubmatch(reference)
			if text, set := os.LookupEnv(match[1]); set {
				return text
			}
			if match[2] == "" {
				missing = fmt.Errorf("Cannot evaluate `%s`. Replacement variable `%s` is not defined in a Logstash "+
					"secret store or an environment variable and there is no default value given.", reference, match[1])
			}
			return match[3]
		})
		return filled, missing
	case []any:
		for index, one := range value {
			filled, err := substitute(one)
			if err != nil {
				return nil, err
			}
			value[index] = filled
		}
	case map[string]any:
		for key, one := range value {
			filled, err := substitute(one)
			if err != nil {
				return nil, err
			}
			value[key] = filled
		}
	}
	return value, nil
}
