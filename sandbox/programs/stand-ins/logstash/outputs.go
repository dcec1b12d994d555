package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const againAfter = 2 * time.Second

// elasticsearch is that output: its server, its login, and the index that it writes to.
type elasticsearch struct {
	client                       *http.Client
	host, user, password, header string
	deadLetters                  string
}

func newElasticsearch(p plugin, deadLetters string) (*elasticsearch, error) {
	authorities, err := certificates(p.text("ssl_certificate_authorities"))
	if err != nil {
		return nil, err
	}
	header, _ := json.Marshal(map[string]any{p.text("action"): map[string]any{"_index": p.text("index")}})
	return &elasticsearch{
		&http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}},
		},
		p.text("hosts"), p.text("user"), p.text("password"), string(header), deadLetters,
	}, nil
}

// write sends events until each is taken, or refused for good: then it goes to the dead letters, if those are kept.
func (e *elasticsearch) write(ctx context.Context, events []event) error {
	for len(events) > 0 {
		left, err := e.once(events)
		if err != nil {
			log.Printf("[ERROR][logstash.outputs.elasticsearch] will retry in %s: %v", againAfter, err)
		}
		if events = left; len(events) > 0 && !pause(ctx, againAfter) {
			return ctx.Err()
		}
	}
	return nil
}

// once sends a bulk request and returns the events to send again.
func (e *elasticsearch) once(events []event) ([]event, error) {
	var body bytes.Buffer
	for _, one := range events {
		line, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&body, "%s\n%s\n", e.header, line)
	}
	status, text, err := post(e.client, e.host+"/_bulk", "application/x-ndjson", e.user, e.password, body.Bytes())
	if err != nil {
		return events, err
	}
	var answer struct {
		Items []map[string]struct {
			Status int
			Error  json.RawMessage
		}
	}
	if status != http.StatusOK || json.Unmarshal(text, &answer) != nil || len(answer.Items) != len(events) {
		return events, fmt.Errorf("Got response code '%d' contacting Elasticsearch at URL '%s': %.300s", status, e.host, text)
	}
	var left []event
	var problem error
	for index, item := range answer.Items {
		for _, result := range item {
			switch {
			case result.Status < 300 || result.Status == http.StatusConflict:
			case result.Status == http.StatusBadRequest || result.Status == http.StatusNotFound:
				e.bury(events[index], result.Error)
			default:
				left = append(left, events[index])
				problem = fmt.Errorf("retrying failed action with response code %d: %.300s", result.Status, result.Error)
			}
		}
	}
	return left, problem
}

func (e *elasticsearch) bury(one event, reason json.RawMessage) {
	log.Printf("[WARN ][logstash.outputs.elasticsearch] Could not index event to Elasticsearch: %.300s", reason)
	if e.deadLetters == "" {
		return
	}
	line, _ := json.Marshal(map[string]any{"event": one, "reason": reason})
	file, err := os.OpenFile(filepath.Join(e.deadLetters, "1.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o664)
	if err == nil {
		_, err = file.Write(append(line, '\n'))
		file.Close()
	}
	if err != nil {
		log.Printf("[ERROR][org.logstash.common.io.DeadLetterQueueWriter] %v", err)
	}
}

// request is the output http, as far as the pipelines use it: one request for all events, sent once.
func request(p plugin, events []event) error {
	bodies := []any{}
	for _, one := range events {
		bodies = append(bodies, one.filled(p.settings["mapping"]))
	}
	body, err := json.Marshal(bodies)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 5 * time.Second}
	status, text, err := post(client, p.text("url"), "application/json", p.text("user"), p.text("password"), body)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%s answers %d: %.300s", p.text("url"), status, text)
	}
	return err
}

func post(client *http.Client, url, kind, user, password string, body []byte) (int, []byte, error) {
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", kind)
	if password != "" {
		r.SetBasicAuth(user, password)
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// certificates reads the authorities of a file.
func certificates(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("File does not exist or cannot be opened %s: %w", path, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate in " + path)
	}
	return pool, nil
}
