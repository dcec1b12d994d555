// A stand-in for Logstash, in what ECK, a kubelet, Filebeat, Elasticsearch and Alertmanager see of it: its settings and
// pipelines, the volume, the Beats input with mutual TLS, the outputs with their logins, and the API with TLS.
//
// As Logstash does, it ends over settings, pipelines.yml and a volume that it cannot use, and lives on with the API over a
// pipeline that it cannot run. No filter runs: an event goes on as Filebeat sent it, to every output elasticsearch, and is
// told to every output http if its line has the word ERROR. What is not written is not acknowledged, and comes again.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/elastic/go-lumber/lj"
	lumber "github.com/elastic/go-lumber/server/v2"
	"go.yaml.in/yaml/v3"
)

const home = "/usr/share/logstash"

type settings struct {
	API struct {
		HTTP struct{ Host string }
		SSL  struct{ Keystore struct{ Path string } }
	}
}

// pipelines are all that run, as one: what comes from Filebeat, and what its events are given to.
type pipelines struct {
	batches chan *lj.Batch
	outputs []func([]event)
}

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	var s settings
	read("logstash.yml", &s)
	if err := os.WriteFile(filepath.Join(home, "data", "uuid"), nil, 0o644); err != nil {
		fail("Your settings are invalid. Reason: Path \"path.data\" must be a writable directory. %v", err)
	}
	var entries []map[string]any
	read("pipelines.yml", &entries)
	running := &pipelines{batches: make(chan *lj.Batch)}
	for _, entry := range entries {
		if err := running.add(fmt.Sprint(entry["config.string"])); err != nil {
			log.Printf("[ERROR][logstash.agent] Failed to execute action {:id=>%v, :message=>%v}", entry["pipeline.id"], err)
		} else {
			log.Printf("[INFO ][logstash.javapipeline][%v] Pipeline started", entry["pipeline.id"])
		}
	}
	go running.pass()
	go func() { fail("the API ends: %v", s.serve()) }()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	log.Print("[WARN ][logstash.runner] SIGTERM received. Shutting down.")
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "[FATAL][logstash.runner] "+format+"\n", values...)
	os.Exit(1)
}

func read(name string, into any) {
	text, err := os.ReadFile(filepath.Join(home, "config", name))
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		fail("ERROR: Failed to read %s. Aborting... exception=>%v", name, err)
	}
}

// add makes the inputs and outputs of a pipeline, or returns why Logstash would not run it.
func (p *pipelines) add(text string) error {
	plugins, err := parse(text)
	if err != nil {
		return err
	}
	// An input opens only where each output can be made.
	for _, one := range slices.Backward(plugins) {
		secured, err := one.secured()
		if err != nil {
			return err
		}
		switch one.section + " " + one.name {
		case "input beats":
			port := ":" + one.text("port")
			if _, err := lumber.ListenAndServe(port, lumber.TLS(secured), lumber.Channel(p.batches)); err != nil {
				return err
			}
		case "output elasticsearch":
			p.outputs = append(p.outputs, newSender(one, secured).write)
		case "output http":
			p.outputs = append(p.outputs, newSender(one, secured).tell)
		case "input pipeline", "output pipeline":
		default:
			if one.section != "filter" {
				return fmt.Errorf("Couldn't find any %s plugin named '%s'. Are you sure this is correct?", one.section, one.name)
			}
		}
	}
	return nil
}

// pass gives what comes to each output, and acknowledges it.
func (p *pipelines) pass() {
	for batch := range p.batches {
		var events []event
		for _, one := range batch.Events {
			if fields, is := one.(map[string]any); is {
				delete(fields, "@metadata")
				events = append(events, fields)
			}
		}
		for _, output := range p.outputs {
			output(events)
		}
		batch.ACK()
	}
}

// serve answers as the API does. Of certificate and key ECK makes the keystore, which it leaves beside them.
func (s *settings) serve() error {
	http.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		host, _ := os.Hostname()
		answer := map[string]string{"host": host, "version": os.Getenv("LOGSTASH_VERSION"), "status": "green"}
		_ = json.NewEncoder(w).Encode(answer)
	})
	if _, err := os.ReadFile(s.API.SSL.Keystore.Path); err != nil {
		return err
	}
	folder := filepath.Dir(s.API.SSL.Keystore.Path)
	certificate, key := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	return http.ListenAndServeTLS(s.API.HTTP.Host+":9600", certificate, key, nil)
}
