package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is a line as Filebeat sends it, and then as it goes on.
type event map[string]any

var (
	guide     = regexp.MustCompile(`(?s)\A(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,](\d+))? ([A-Z]+) +(?:\[?([^\s\[\]]+)\]? )?(.*)`)
	reference = regexp.MustCompile(`%\{([^}]+)\}`)
	joda      = strings.NewReplacer("YYYY", "2006", "MM", "01", "dd", "02", "HH", "15", "mm", "04", "ss", "05")
)

// get returns what lies under names such as log, level, or "" where that is no text.
func (e event) get(names ...string) string {
	var node any = map[string]any(e)
	for _, name := range names {
		fields, _ := node.(map[string]any)
		node = fields[name]
	}
	text, _ := node.(string)
	return text
}

func (e event) set(value string, names ...string) {
	node := map[string]any(e)
	for _, name := range names[:len(names)-1] {
		below, _ := node[name].(map[string]any)
		if below == nil {
			below = map[string]any{}
			node[name] = below
		}
		node = below
	}
	node[names[len(names)-1]] = value
}

// filtered does what of the pipeline's filters the tests of a cluster look at: the guide's form of a line, and JSON with
// the dotted names of ECS, give time, level, logger, trace and message. Any other line is kept whole, as unparsed.
func (e event) filtered() {
	delete(e, "@metadata")
	message := e.get("message")
	fields := map[string]any{}
	switch match := guide.FindStringSubmatch(message); {
	case match != nil:
		fraction := match[3]
		if fraction != "" {
			fraction = "." + fraction
		}
		e.set(match[1]+"T"+match[2]+fraction+"Z", "@timestamp")
		e.set(match[4], "log", "level")
		if match[5] != "" {
			e.set(match[5], "log", "logger")
		}
		e.set(match[6], "message")
	case json.Unmarshal([]byte(message), &fields) == nil && len(fields) > 0:
		for _, key := range []string{"@timestamp", "message", "log.level", "log.logger", "trace.id", "span.id", "error.type"} {
			if text, is := fields[key].(string); is {
				e.set(text, strings.Split(key, ".")...)
			}
		}
		if level := e.get("log", "level"); level != "" {
			e.set(strings.ToUpper(level), "log", "level")
		}
	default:
		e.tag("unparsed")
	}
	if slices.Contains([]string{"ERROR", "CRITICAL", "FATAL"}, e.get("log", "level")) {
		e.tag("error")
	}
}

func (e event) tag(name string) {
	tags, _ := e["tags"].([]any)
	e["tags"] = append(tags, name)
}

func (e event) tagged(name string) bool {
	tags, _ := e["tags"].([]any)
	return name == "" || slices.Contains(tags, any(name))
}

// filled returns a setting's value with %{[field][below]}, %{field} and %{+date} filled in, as deep as they lie.
func (e event) filled(value any) any {
	switch value := value.(type) {
	case string:
		return reference.ReplaceAllStringFunc(value, func(text string) string {
			inside := text[2 : len(text)-1]
			if format, date := strings.CutPrefix(inside, "+"); date {
				moment, err := time.Parse(time.RFC3339Nano, e.get("@timestamp"))
				if err != nil {
					moment = time.Now()
				}
				return moment.UTC().Format(joda.Replace(format))
			}
			return e.get(strings.FieldsFunc(inside, func(r rune) bool { return r == '[' || r == ']' })...)
		})
	case map[string]any:
		filled := map[string]any{}
		for key, one := range value {
			filled[key] = e.filled(one)
		}
		return filled
	}
	return value
}
