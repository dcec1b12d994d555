package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// What is sent at once.
	batchEvents = 2048
	// After so long nothing is added to an event of several lines.
	lastLine = 5 * time.Second
)

// event is one that is sent, and the place after it in its file.
type event struct {
	fields map[string]any
	file   string
	end    int64
}

// line is one of a file.
type line struct {
	text, stream, time string
	end                int64
}

// harvest returns what is new in the files of an input, beginning in each where the registry says, and batchEvents at
// most. A file is known by its first bytes, so that it may be renamed; one that has not so many yet is not read.
func harvest(i *input, registry map[string]int64) []event {
	var events []event
	seen := map[string]bool{}
	for _, pattern := range i.Paths {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			status, err := os.Lstat(path)
			if err != nil || status.Mode()&os.ModeSymlink != 0 && !i.Prospector.Scanner.Symlinks {
				continue
			}
			found, key, err := i.file(path, registry)
			if err != nil {
				log.Printf("cannot read %s: %v", path, err)
			}
			if !seen[key] {
				events = append(events, found...)
			}
			seen[key] = true
			if len(events) >= batchEvents {
				return events[:batchEvents]
			}
		}
	}
	return events
}

// file returns the new events of a file, and the key by which the registry knows it.
func (i *input) file(path string, registry map[string]int64) ([]event, string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, path, err
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil {
		return nil, path, err
	}
	first := make([]byte, i.Prospector.Scanner.Fingerprint.Length)
	if _, err := io.ReadFull(file, first); err != nil {
		return nil, path, nil
	}
	sum := sha256.Sum256(first)
	key := hex.EncodeToString(sum[:])
	from := registry[key]
	if from > status.Size() {
		from = 0
	}
	text := make([]byte, min(status.Size()-from, 16<<20))
	if _, err := file.ReadAt(text, from); err != nil && err != io.EOF {
		return nil, key, err
	}
	quiet := time.Since(status.ModTime()) > lastLine
	var events []event
	for _, lines := range i.joined(i.lines(text, from), quiet) {
		events = append(events, event{i.fields(lines, path), key, lines[len(lines)-1].end})
	}
	return events, key, nil
}

// lines returns the whole lines of a text, those of a container without the runtime's prefix and its own breaks.
func (i *input) lines(text []byte, from int64) []line {
	var lines []line
	var begun line
	for {
		length := bytes.IndexByte(text, '\n')
		if length < 0 {
			return lines
		}
		raw := string(text[:length])
		text, from = text[length+1:], from+int64(length)+1
		if !i.container {
			lines = append(lines, line{text: raw, end: from})
			continue
		}
		parts := strings.SplitN(raw, " ", 4)
		if len(parts) < 4 {
			log.Printf("no line of a container: %.100q", raw)
			continue
		}
		begun = line{begun.text + parts[3], parts[1], parts[0], from}
		if !strings.HasPrefix(parts[2], "P") {
			lines = append(lines, begun)
			begun = line{}
		}
	}
}

// joined groups lines to events. The last event is left out while it may go on.
func (i *input) joined(lines []line, quiet bool) [][]line {
	var events [][]line
	for _, one := range lines {
		if i.begins != nil && len(events) > 0 && !i.begins.MatchString(one.text) {
			events[len(events)-1] = append(events[len(events)-1], one)
		} else {
			events = append(events, []line{one})
		}
	}
	if i.begins != nil && !quiet && len(events) > 0 {
		events = events[:len(events)-1]
	}
	return events
}

func (i *input) fields(lines []line, path string) map[string]any {
	texts := make([]string, len(lines))
	for index, one := range lines {
		texts[index] = one.text
	}
	message := strings.Join(texts, "\n")
	about := map[string]any{"file": map[string]any{"path": path}}
	var flags []string
	if len(lines) > 1 {
		flags = append(flags, "multiline")
	}
	if i.Limit > 0 && len(message) > i.Limit {
		message, flags = message[:i.Limit], append(flags, "truncated")
	}
	if flags != nil {
		about["flags"] = flags
	}
	fields := map[string]any{
		"@timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"@metadata":  map[string]any{"beat": "filebeat", "type": "_doc"},
		"message":    message,
		"log":        about,
	}
	if lines[0].stream != "" {
		fields["@timestamp"], fields["stream"] = lines[0].time, lines[0].stream
	}
	return fields
}
