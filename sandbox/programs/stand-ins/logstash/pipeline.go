package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	lumber "github.com/elastic/go-lumber/server/v2"
)

// pipeline is one that runs: what its input takes goes through the queue to its outputs.
type pipeline struct {
	id       string
	text     string
	address  string
	outputs  []plugin
	queue    *queue
	beats    *lumber.Server
	es       *elasticsearch
	siblings func(address string) *pipeline
	in, out  atomic.Int64
	work     sync.WaitGroup
	stop     context.CancelFunc
}

const endWithin = 5 * time.Second

var (
	size  = regexp.MustCompile(`^(\d+)(b|kb|mb|gb)$`)
	units = map[string]int64{"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
)

// newPipeline makes what an entry of pipelines.yml says, or returns why Logstash would not run it.
func newPipeline(id string, entry map[string]any, data string) (*pipeline, error) {
	p := &pipeline{id: id}
	text, is := entry["config.string"].(string)
	if !is {
		return nil, errors.New("the stand-in reads a pipeline from config.string alone")
	}
	found, err := parse(text)
	if err != nil {
		return nil, err
	}
	for _, plugins := range found {
		for _, one := range plugins {
			if _, err := substitute(one.settings); err != nil {
				return nil, err
			}
		}
	}
	limit, err := bytesOf(entry, "queue.max_bytes", "1024mb")
	if err != nil {
		return nil, err
	}
	if p.queue, err = openQueue(filepath.Join(data, "queue", p.id), limit); err != nil {
		return nil, err
	}
	deadLetters := ""
	if entry["dead_letter_queue.enable"] == true {
		deadLetters = filepath.Join(data, "dead_letter_queue", p.id)
		if err := os.MkdirAll(deadLetters, 0o775); err != nil {
			return nil, err
		}
	}
	p.outputs = found["output"]
	for _, one := range p.outputs {
		switch one.name {
		case "elasticsearch":
			if p.es, err = newElasticsearch(one, deadLetters); err != nil {
				return nil, err
			}
		case "pipeline", "http":
		default:
			return nil, unknown("output", one.name)
		}
	}
	for _, one := range found["input"] {
		switch one.name {
		case "pipeline":
			p.address = one.text("address")
		case "beats":
			if p.beats, err = newBeats(one); err != nil {
				return nil, err
			}
		default:
			return nil, unknown("input", one.name)
		}
	}
	return p, nil
}

func unknown(kind, name string) error {
	return fmt.Errorf("Couldn't find any %s plugin named '%s'. Are you sure this is correct?", kind, name)
}

func bytesOf(entry map[string]any, key, otherwise string) (int64, error) {
	text, is := entry[key].(string)
	if !is {
		text = otherwise
	}
	match := size.FindStringSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("%s: %q is no size such as 1024mb", key, text)
	}
	number, err := strconv.ParseInt(match[1], 10, 64)
	return number * units[match[2]], err
}

// newBeats opens the port for Filebeat.
func newBeats(p plugin) (*lumber.Server, error) {
	pair, err := tls.LoadX509KeyPair(p.text("ssl_certificate"), p.text("ssl_key"))
	if err != nil {
		return nil, fmt.Errorf("File does not exist or cannot be opened: %w", err)
	}
	authorities, err := certificates(p.text("ssl_certificate_authorities"))
	if err != nil {
		return nil, err
	}
	configuration := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: authorities, MinVersion: tls.VersionTLS12}
	if p.text("ssl_client_authentication") == "required" {
		configuration.ClientAuth = tls.RequireAndVerifyClientCert
	}
	listener, err := tls.Listen("tcp", ":"+p.text("port"), configuration)
	if err != nil {
		return nil, err
	}
	return lumber.NewWithListener(listener)
}

// run starts what the pipeline does.
func (p *pipeline) run() {
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	if p.beats != nil {
		p.work.Go(func() { p.receive(ctx) })
	}
	p.work.Go(func() {
		err := p.queue.each(ctx, func(events []event) error { return p.pass(ctx, events) })
		if err != nil && ctx.Err() == nil {
			log.Printf("[ERROR][logstash.javapipeline][%s] the pipeline ends: %v", p.id, err)
		}
	})
	log.Printf("[INFO ][logstash.javapipeline][%s] Pipeline started", p.id)
}

// end stops it, within seconds even where a receiver does not answer.
func (p *pipeline) end() {
	p.stop()
	if p.beats != nil {
		p.beats.Close()
	}
	ended := make(chan struct{})
	go func() {
		p.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(endWithin):
		log.Printf("[ERROR][org.logstash.execution.ShutdownWatcher][%s] The shutdown process appears to be stalled", p.id)
	}
}

func (p *pipeline) receive(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case batch, open := <-p.beats.ReceiveChan():
			if !open {
				return
			}
			events := []event{}
			for _, one := range batch.Events {
				if fields, is := one.(map[string]any); is {
					events = append(events, fields)
				}
			}
			// What is not acknowledged comes again.
			if p.take(ctx, events) == nil {
				batch.ACK()
			}
		}
	}
}

func (p *pipeline) take(ctx context.Context, events []event) error {
	for _, one := range events {
		if p.beats != nil {
			one.filtered()
		}
	}
	if err := p.queue.put(ctx, events); err != nil {
		log.Printf("[ERROR][logstash.javapipeline][%s] cannot write to the queue: %v", p.id, err)
		return err
	}
	p.in.Add(int64(len(events)))
	return nil
}

func (p *pipeline) pass(ctx context.Context, events []event) error {
	for _, output := range p.outputs {
		var chosen []event
		for _, one := range events {
			if one.tagged(output.tag) {
				chosen = append(chosen, one)
			}
		}
		if len(chosen) == 0 {
			continue
		}
		switch output.name {
		case "elasticsearch":
			if err := p.es.write(ctx, chosen); err != nil {
				return err
			}
		case "pipeline":
			if other := p.siblings(output.text("send_to")); other != nil {
				if err := other.take(ctx, chosen); err != nil {
					return err
				}
			}
		case "http":
			if err := request(output, chosen); err != nil {
				log.Printf("[ERROR][logstash.outputs.http][%s] %v", p.id, err)
			}
		}
	}
	p.out.Add(int64(len(events)))
	return nil
}
