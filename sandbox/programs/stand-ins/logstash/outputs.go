package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// event is a line as Filebeat sends it.
type event map[string]any

// sender is an output, with what it sends by.
type sender struct {
	plugin
	client *http.Client
}

func newSender(p plugin, secured *tls.Config) *sender {
	return &sender{p, &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: secured}}}
}

// write sends events until each is taken, or refused for good.
func (s *sender) write(events []event) {
	for len(events) > 0 {
		left, err := s.bulk(events)
		if err != nil {
			log.Printf("[ERROR][logstash.outputs.elasticsearch] will retry in 2 s: %v", err)
			time.Sleep(2 * time.Second)
		}
		events = left
	}
}

// bulk sends events once, and returns those to send again and why.
func (s *sender) bulk(events []event) (left []event, problem error) {
	var body bytes.Buffer
	for _, one := range events {
		line, _ := json.Marshal(one)
		fmt.Fprintf(&body, "{%q:{\"_index\":%q}}\n%s\n", s.text("action"), s.text("index"), line)
	}
	text, err := s.send(s.text("hosts")+"/_bulk", body.Bytes())
	if err != nil {
		return events, err
	}
	var answer struct {
		Items []map[string]struct {
			Status int
			Error  json.RawMessage
		}
	}
	if json.Unmarshal(text, &answer) != nil || len(answer.Items) != len(events) {
		return events, fmt.Errorf("no answer to a bulk request: %.300s", text)
	}
	for index, item := range answer.Items {
		switch result := item[s.text("action")]; {
		case result.Status < 300 || result.Status == http.StatusConflict:
		case result.Status == http.StatusBadRequest || result.Status == http.StatusNotFound:
			log.Printf("[WARN ][logstash.outputs.elasticsearch] Could not index event to Elasticsearch: %.300s", result.Error)
		default:
			left = append(left, events[index])
			problem = fmt.Errorf("retrying failed action with response code %d: %.300s", result.Status, result.Error)
		}
	}
	return left, problem
}

// tell sends the mapping of an output http once for all errors, and what names a field in it as it is.
func (s *sender) tell(events []event) {
	isError := func(one event) bool { return strings.Contains(fmt.Sprint(one["message"]), "ERROR") }
	if !slices.ContainsFunc(events, isError) {
		return
	}
	body, _ := json.Marshal([]any{s.settings["mapping"]})
	if _, err := s.send(s.text("url"), body); err != nil {
		log.Printf("[ERROR][logstash.outputs.http] %v", err)
	}
}

// send posts with the login of the plugin.
func (s *sender) send(url string, body []byte) ([]byte, error) {
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if password := s.text("password"); password != "" {
		r.SetBasicAuth(s.text("user"), password)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if answer.StatusCode >= 300 {
		err = fmt.Errorf("Got response code '%d' contacting URL '%s': %.300s", answer.StatusCode, url, text)
	}
	return text, err
}

// secured returns the TLS of a plugin from its files, nil where it names none.
func (p plugin) secured() (*tls.Config, error) {
	authorities := p.text("ssl_certificate_authorities")
	if authorities == "" {
		return nil, nil
	}
	secured := &tls.Config{RootCAs: x509.NewCertPool()}
	secured.ClientCAs = secured.RootCAs
	text, err := os.ReadFile(authorities)
	if err == nil && !secured.RootCAs.AppendCertsFromPEM(text) {
		err = errors.New("no certificate in " + authorities)
	}
	if certificate := p.text("ssl_certificate"); err == nil && certificate != "" {
		secured.Certificates = make([]tls.Certificate, 1)
		secured.Certificates[0], err = tls.LoadX509KeyPair(certificate, p.text("ssl_key"))
	}
	if err != nil {
		return nil, fmt.Errorf("File does not exist or cannot be opened: %w", err)
	}
	if p.text("ssl_client_authentication") == "required" {
		secured.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return secured, nil
}
