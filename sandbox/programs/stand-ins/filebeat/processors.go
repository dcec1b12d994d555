package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	account = "/var/run/secrets/kubernetes.io/serviceaccount"
	// How old what is known of a pod may be, and how soon a pod that is not known is asked for again.
	podsFor, againAfter = 30 * time.Second, 2 * time.Second
)

// pods knows those of one node, as the API server lists them for the pod's ServiceAccount.
type pods struct {
	client *http.Client
	known  map[string]map[string]any
	asked  map[string]time.Time
}

// process runs the processors on an event, in their order.
func (p *pods) process(processors []map[string]any, fields map[string]any) {
	for _, processor := range processors {
		for name, settings := range processor {
			settings, _ := settings.(map[string]any)
			switch name {
			case "add_host_metadata":
				host, _ := os.Hostname()
				fields["host"] = map[string]any{"name": host}
			case "add_fields":
				merge(fields, []string{fmt.Sprint(settings["target"])}, settings["fields"])
			case "add_kubernetes_metadata":
				p.describe(settings, fields)
			case "copy_fields":
				pairs, _ := settings["fields"].([]any)
				for _, pair := range pairs {
					pair, _ := pair.(map[string]any)
					if value := get(fields, fmt.Sprint(pair["from"])); value != nil {
						merge(fields, strings.Split(fmt.Sprint(pair["to"]), "."), value)
					}
				}
			}
		}
	}
}

func get(fields map[string]any, path string) any {
	var node any = fields
	for _, name := range strings.Split(path, ".") {
		below, _ := node.(map[string]any)
		node = below[name]
	}
	return node
}

// describe adds what the API server says of the pod whose file an event comes from: <pod>_<namespace>_<container>-<id>.log
// in the folder that the matcher names. Where it says nothing, the event goes without.
func (p *pods) describe(settings, fields map[string]any) {
	path, _ := get(fields, "log.file.path").(string)
	if folder := matched(settings); folder == "" || filepath.Clean(folder) != filepath.Dir(path) {
		return
	}
	parts := strings.Split(filepath.Base(path), "_")
	if len(parts) != 3 {
		return
	}
	name := parts[1] + "/" + parts[0]
	age := time.Since(p.asked[name])
	if age > podsFor || p.known[name] == nil && age > againAfter {
		p.asked[name] = time.Now()
		if err := p.list(fmt.Sprint(settings["host"])); err != nil {
			log.Printf("Error discovering kubernetes pods: %v", err)
		}
	}
	if pod := p.known[name]; pod != nil {
		container := parts[2][:max(0, strings.LastIndex(parts[2], "-"))]
		kubernetes := map[string]any{"container": map[string]any{"name": container}}
		for key, value := range pod {
			kubernetes[key] = value
		}
		fields["kubernetes"] = kubernetes
	}
}

func matched(settings map[string]any) string {
	matchers, _ := settings["matchers"].([]any)
	for _, matcher := range matchers {
		matcher, _ := matcher.(map[string]any)
		if folder, is := get(matcher, "logs_path.logs_path").(string); is {
			return folder
		}
	}
	return ""
}

func (p *pods) list(node string) error {
	if p.client == nil {
		authority, err := os.ReadFile(account + "/ca.crt")
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(authority)
		p.client = &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		}
	}
	token, err := os.ReadFile(account + "/token")
	if err != nil {
		return err
	}
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	query := url.Values{"fieldSelector": {"spec.nodeName=" + node}}
	r, err := http.NewRequest(http.MethodGet, "https://"+server+"/api/v1/pods?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	answer, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var list struct {
		Message string
		Items   []struct {
			Metadata struct {
				Name, Namespace, UID string
				Labels               map[string]string
			}
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s", answer.StatusCode, list.Message)
	}
	p.known = map[string]map[string]any{}
	for _, pod := range list.Items {
		labels := map[string]any{}
		for key, value := range pod.Metadata.Labels {
			labels[strings.ReplaceAll(key, ".", "_")] = value
		}
		p.known[pod.Metadata.Namespace+"/"+pod.Metadata.Name] = map[string]any{
			"namespace": pod.Metadata.Namespace,
			"pod":       map[string]any{"name": pod.Metadata.Name, "uid": pod.Metadata.UID},
			"node":      map[string]any{"name": node},
			"labels":    labels,
		}
	}
	return nil
}
