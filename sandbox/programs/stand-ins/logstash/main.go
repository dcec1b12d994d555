// A stand-in for Logstash, in what ECK, a kubelet, Filebeat and Elasticsearch see of it: its settings and pipelines, the
// volume with its queues, the Beats input with mutual TLS, the outputs with their logins, and the API with TLS.
//
// As Logstash does, it ends over settings, pipelines.yml and a volume that it cannot use, and lives on with the API over a
// pipeline that it cannot run, which it tries again every three seconds. Filters do not run: event.go says what does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	home        = "/usr/share/logstash"
	reloadEvery = 3 * time.Second
	// Of access(2).
	readable, writable = 4, 2
)

// agent runs the pipelines of pipelines.yml, and others when that changes.
type agent struct {
	data     string
	mutex    sync.Mutex
	running  map[string]*pipeline
	problems string
}

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	settings, err := readSettings(filepath.Join(home, "config", "logstash.yml"))
	if err != nil {
		fail("ERROR: Failed to load settings file from \"path.settings\". Aborting... exception=>%v", err)
	}
	data := filepath.Join(home, "data")
	if err := syscall.Access(data, writable); err != nil {
		fail("Your settings are invalid. Reason: Path \"%s\" must be a writable directory. It is not writable.", data)
	}
	file := filepath.Join(home, "config", "pipelines.yml")
	if _, err := readPipelines(file); err != nil {
		fail("ERROR: Failed to read pipelines yaml file. Location: %s, Exception: %v", file, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	a := &agent{data: data, running: map[string]*pipeline{}}
	go func() { fail("the API ends: %v", a.serve(settings)) }()
	for a.converge(file); pause(ctx, reloadEvery); a.converge(file) {
	}
	log.Print("[WARN ][logstash.runner] SIGTERM received. Shutting down.")
	for id := range a.running {
		a.end(id)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "[FATAL][logstash.runner] "+format+"\n", values...)
	os.Exit(1)
}

// readSettings returns logstash.yml with the names of its settings dotted, however they are nested.
func readSettings(file string) (map[string]any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	flat := map[string]any{}
	flatten(document, "", flat)
	return flat, nil
}

func flatten(node map[string]any, prefix string, flat map[string]any) {
	for key, value := range node {
		if below, is := value.(map[string]any); is {
			flatten(below, prefix+key+".", flat)
		} else {
			flat[prefix+key] = value
		}
	}
}

func readPipelines(file string) ([]map[string]any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var entries []map[string]any
	if err := yaml.Unmarshal(text, &entries); err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errors.New("Pipelines YAML file is empty")
	}
	return entries, nil
}

// converge brings what runs in line with the file: a pipeline starts when it is new, has changed, or did not start before.
func (a *agent) converge(file string) {
	entries, err := readPipelines(file)
	if err != nil {
		a.tell(err.Error())
		return
	}
	wanted := map[string]bool{}
	var problems []string
	for _, entry := range entries {
		id, text := fmt.Sprint(entry["pipeline.id"]), fmt.Sprint(entry)
		wanted[id] = true
		if old := a.running[id]; old != nil && old.text == text {
			continue
		}
		a.end(id)
		p, err := newPipeline(id, entry, a.data)
		if err != nil {
			problems = append(problems, fmt.Sprintf("Failed to execute action {:id=>%s, :message=>%v}", id, err))
			continue
		}
		p.text, p.siblings = text, a.byAddress
		a.mutex.Lock()
		a.running[id] = p
		a.mutex.Unlock()
		p.run()
	}
	for id := range a.running {
		if !wanted[id] {
			a.end(id)
		}
	}
	a.tell(strings.Join(problems, "\n"))
}

// tell logs what keeps pipelines from running, once.
func (a *agent) tell(problems string) {
	if problems != a.problems && problems != "" {
		log.Printf("[ERROR][logstash.agent] %s", problems)
	}
	a.problems = problems
}

func (a *agent) byAddress(address string) *pipeline {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, p := range a.running {
		if p.address == address {
			return p
		}
	}
	return nil
}

// end stops a pipeline, if it runs: what is not passed on by then stays in the queue.
func (a *agent) end(id string) {
	p := a.running[id]
	if p == nil {
		return
	}
	p.end()
	a.mutex.Lock()
	delete(a.running, id)
	a.mutex.Unlock()
}

// serve answers as the API does.
func (a *agent) serve(settings map[string]any) error {
	address := fmt.Sprintf("%v:9600", settings["api.http.host"])
	if settings["api.ssl.enabled"] != true {
		return http.ListenAndServe(address, http.HandlerFunc(a.respond))
	}
	// Of certificate and key ECK makes the keystore, which it leaves beside them.
	keystore := fmt.Sprint(settings["api.ssl.keystore.path"])
	if err := syscall.Access(keystore, readable); err != nil {
		return fmt.Errorf("the keystore %s: %w", keystore, err)
	}
	folder := filepath.Dir(keystore)
	certificate, key := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	return http.ListenAndServeTLS(address, certificate, key, http.HandlerFunc(a.respond))
}

func (a *agent) respond(w http.ResponseWriter, r *http.Request) {
	a.mutex.Lock()
	pipelines := map[string]any{}
	for id, p := range a.running {
		pipelines[id] = map[string]any{
			"events": map[string]int64{"in": p.in.Load(), "out": p.out.Load()},
			"queue":  map[string]any{"type": "persisted", "queue_size_in_bytes": p.queue.size()},
		}
	}
	a.mutex.Unlock()
	host, _ := os.Hostname()
	answer := map[string]any{"host": host, "version": os.Getenv("LOGSTASH_VERSION"), "status": "green"}
	w.Header().Set("Content-Type", "application/json")
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "":
	case "/_node/stats", "/_node/stats/pipelines":
		answer["pipelines"] = pipelines
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	_ = json.NewEncoder(w).Encode(answer)
}
