package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

type configuration struct {
	Filebeat struct {
		Inputs []*input
	}
	Processors []map[string]any
	Output     struct {
		Logstash struct {
			Hosts []string
			SSL   struct {
				Authorities []string `yaml:"certificate_authorities"`
				Certificate string
				Key         string
			}
		}
	}
}

type input struct {
	Type       string
	ID         string
	Paths      []string
	Limit      int `yaml:"message_max_bytes"`
	Parsers    []map[string]any
	Processors []map[string]any
	Prospector struct {
		Scanner struct {
			Symlinks    bool
			Fingerprint struct {
				Length int
			}
		}
	}

	// Whether lines are in the form of the container runtime, and what begins an event, if it may have several lines.
	container bool
	begins    *regexp.Regexp
}

var variable = regexp.MustCompile(`\$\{([^}:]+)(?::([^}]*))?\}`)

// read returns the configuration, or why Filebeat does not start with it.
func read(path string) (*configuration, error) {
	status, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if status.Mode()&0o022 != 0 {
		return nil, fmt.Errorf("config file (%q) can only be writable by the owner but the permissions are %q", path, status.Mode())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var missing error
	filled := variable.ReplaceAllStringFunc(string(text), func(reference string) string {
		match := variable.FindStringSubmatch(reference)
		value, set := os.LookupEnv(match[1])
		if !set && !strings.Contains(reference, ":") {
			missing = fmt.Errorf("missing field accessing %s: no such variable", reference)
		}
		if set {
			return value
		}
		return match[2]
	})
	if missing != nil {
		return nil, missing
	}
	var document any
	if err := yaml.Unmarshal([]byte(filled), &document); err != nil {
		return nil, err
	}
	nested, err := yaml.Marshal(nest(document))
	if err != nil {
		return nil, err
	}
	c := &configuration{}
	if err := yaml.Unmarshal(nested, c); err != nil {
		return nil, err
	}
	return c, c.check()
}

// nest returns a value in which a key such as a.b is b below a: Beats read both as one.
func nest(value any) any {
	switch value := value.(type) {
	case []any:
		for index, one := range value {
			value[index] = nest(one)
		}
	case map[string]any:
		nested := map[string]any{}
		for key, one := range value {
			merge(nested, strings.Split(key, "."), nest(one))
		}
		return nested
	}
	return value
}

func merge(into map[string]any, path []string, value any) {
	below, isBelow := into[path[0]].(map[string]any)
	if len(path) > 1 {
		if !isBelow {
			below = map[string]any{}
			into[path[0]] = below
		}
		merge(below, path[1:], value)
		return
	}
	if fields, is := value.(map[string]any); is && isBelow {
		for key, one := range fields {
			merge(below, []string{key}, one)
		}
		return
	}
	into[path[0]] = value
}

func (c *configuration) check() error {
	if len(c.Filebeat.Inputs) == 0 {
		return errors.New("no modules or inputs enabled and configuration reloading disabled")
	}
	if len(c.Output.Logstash.Hosts) == 0 {
		return errors.New("the stand-in has the output logstash alone, which has no hosts")
	}
	for _, one := range c.Filebeat.Inputs {
		if one.Type != "filestream" {
			return fmt.Errorf("Error creating input: No such input type exist: '%s'", one.Type)
		}
		if one.ID == "" || len(one.Paths) == 0 {
			return errors.New("Error creating input: an input without id or paths")
		}
		if one.Prospector.Scanner.Fingerprint.Length == 0 {
			one.Prospector.Scanner.Fingerprint.Length = 1024
		}
		for _, parser := range one.Parsers {
			for name, settings := range parser {
				if err := one.parse(name, settings); err != nil {
					return err
				}
			}
		}
		if err := known(one.Processors); err != nil {
			return err
		}
	}
	return known(c.Processors)
}

func (i *input) parse(name string, settings any) (err error) {
	switch name {
	case "container":
		i.container = true
	case "multiline":
		fields, _ := settings.(map[string]any)
		if fields["type"] != "pattern" || fields["negate"] != true || fields["match"] != "after" {
			return errors.New("the stand-in joins lines by a pattern that begins an event: negate true, match after")
		}
		i.begins, err = regexp.Compile(fmt.Sprint(fields["pattern"]))
	default:
		err = fmt.Errorf("no such parser: %s", name)
	}
	return err
}

func known(processors []map[string]any) error {
	for _, processor := range processors {
		for name := range processor {
			switch name {
			case "add_fields", "add_host_metadata", "add_kubernetes_metadata", "copy_fields":
			default:
				return fmt.Errorf("the processor action %s does not exist. Valid actions (of the stand-in): "+
					"add_fields, add_host_metadata, add_kubernetes_metadata, copy_fields", name)
			}
		}
	}
	return nil
}
