package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// plugin is one plugin of a pipeline; under which condition it stands is not kept.
type plugin struct {
	section, name string
	settings      map[string]any
}

// text returns a setting, or "" where there is none.
func (p plugin) text(name string) string {
	text, _ := p.settings[name].(string)
	return text
}

// parser reads Logstash's language: logstash-core/src/main/.../config/grammar.treetop of github.com/elastic/logstash.
type parser struct {
	tokens []string
	line   int
	found  []plugin
}

var (
	tokens   = regexp.MustCompile(`(?s)\s+|#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|/(?:\\.|[^/\\])*/|=>|[\w.@-]+|.`)
	variable = regexp.MustCompile(`\$\{([a-zA-Z_.][a-zA-Z0-9_.]*)(:[^}]*)?\}`)
)

// parse returns the plugins of a pipeline. Its errors name the line, as Logstash's do.
func parse(text string) (found []plugin, err error) {
	p := &parser{tokens: tokens.FindAllString(text, -1), line: 1}
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v at line %d", problem, p.line)
		}
	}()
	for p.peek() != "" {
		p.block(p.next())
	}
	return p.found, nil
}

// peek returns the next token that says something, which a comma does not, or "" at the end.
func (p *parser) peek() string {
	for ; len(p.tokens) > 0; p.tokens = p.tokens[1:] {
		if !strings.ContainsAny(p.tokens[0][:1], "#, \t\r\n") {
			return p.tokens[0]
		}
		p.line += strings.Count(p.tokens[0], "\n")
	}
	return ""
}

func (p *parser) next() string {
	word := p.peek()
	if word == "" {
		panic("Expected }, found the end")
	}
	p.tokens = p.tokens[1:]
	return word
}

func (p *parser) expect(word string) {
	if found := p.next(); found != word {
		panic(fmt.Sprintf("Expected %s, found %.20q", word, found))
	}
}

// block reads what is between braces: plugins, and such blocks after a condition.
func (p *parser) block(section string) {
	p.expect("{")
	for word := p.next(); word != "}"; word = p.next() {
		if word != "if" && word != "else" {
			settings, _ := p.value().(map[string]any)
			p.found = append(p.found, plugin{section, word, settings})
			continue
		}
		for p.peek() != "{" {
			p.next()
		}
		p.block(section)
	}
}

// value reads a value: of a list its last entry, for each here has one.
func (p *parser) value() any {
	switch word := p.next(); word {
	case "{":
		values := map[string]any{}
		for p.peek() != "}" {
			key := p.value()
			p.expect("=>")
			values[fmt.Sprint(key)] = p.value()
		}
		p.next()
		return values
	case "[":
		var value any
		for p.peek() != "]" {
			value = p.value()
		}
		p.next()
		return value
	default:
		return variable.ReplaceAllStringFunc(strings.Trim(word, `"'`), environment)
	}
}

// environment returns what stands for ${NAME} or ${NAME:default}.
func environment(reference string) string {
	match := variable.FindStringSubmatch(reference)
	if text, set := os.LookupEnv(match[1]); set {
		return text
	}
	if match[2] == "" {
		panic(fmt.Sprintf("Cannot evaluate `%s`. Replacement variable `%s` is not defined", reference, match[1]))
	}
	return match[2][1:]
}
