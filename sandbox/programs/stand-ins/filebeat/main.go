// A stand-in for Filebeat, in what ECK, a kubelet, the API server and Logstash see of it: it reads what its inputs name, adds
// what the API server says of the pod, sends each line with its certificate, and keeps in its data folder how far it is. It
// ends with a message where Filebeat would. It joins no lines, and loses what a file had unread when it was rotated.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	lumber "github.com/elastic/go-lumber/client/v2"
	"go.yaml.in/yaml/v3"
)

const registry = "/usr/share/filebeat/data/registry.json"

// configuration is beat.yml as ECK writes it: without dots in its keys.
type configuration struct {
	Filebeat   struct{ Inputs []input }
	Processors []step
	Output     struct {
		Logstash struct {
			Hosts []string
			SSL   struct {
				Authorities      []string `yaml:"certificate_authorities"`
				Certificate, Key string
			}
		}
	}
}

// beat is what runs: how far each file is read, the labels of its pod, and the connection while there is one.
type beat struct {
	configuration
	places map[string]int64
	labels map[string]map[string]any
	tls    *tls.Config
	client *lumber.SyncClient
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

func main() {
	path := flag.String("c", "/usr/share/filebeat/filebeat.yml", "the configuration")
	flag.Bool("e", true, "log to stderr, as it does in any case")
	flag.Parse()
	b := &beat{places: map[string]int64{}, labels: map[string]map[string]any{}}
	end("error loading config file", b.read(*path))
	end("error initializing publisher", b.secure())
	text, _ := os.ReadFile(registry)
	_ = json.Unmarshal(text, &b.places)
	end("failed to create Beat meta file", b.write())
	log.Printf("filebeat start running, output %v", b.Output.Logstash.Hosts)
	go func() {
		for ; ; time.Sleep(time.Second) {
			if err := b.publish(); err != nil {
				log.Printf("Failed to publish events, again in 5 s: %v", err)
				time.Sleep(4 * time.Second)
			}
		}
	}()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	log.Print("filebeat stopped.")
}

// end ends the process over an error.
func end(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "Exiting: %s: %v\n", what, err)
		os.Exit(1)
	}
}

// read reads the configuration, or returns why Filebeat does not start with it.
func (b *beat) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	filled := variable.ReplaceAllFunc(text, func(reference []byte) []byte {
		value, set := os.LookupEnv(string(reference[2 : len(reference)-1]))
		if !set {
			err = fmt.Errorf("missing field accessing %s: no such variable", reference)
		}
		return []byte(value)
	})
	return errors.Join(err, yaml.Unmarshal(filled, &b.configuration))
}

// secure makes the TLS for the output from the files that the configuration names.
func (b *beat) secure() error {
	settings := b.Output.Logstash.SSL
	pair, err := tls.LoadX509KeyPair(settings.Certificate, settings.Key)
	b.tls = &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: x509.NewCertPool()}
	for _, file := range settings.Authorities {
		text, _ := os.ReadFile(file)
		if !b.tls.RootCAs.AppendCertsFromPEM(text) {
			err = errors.Join(err, errors.New("no certificate in "+file))
		}
	}
	return err
}

// send returns when a batch is acknowledged.
func (b *beat) send(batch []any) (err error) {
	if b.client == nil {
		dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 30 * time.Second}, Config: b.tls}
		host := strings.Join(b.Output.Logstash.Hosts, ",")
		if b.client, err = lumber.SyncDialWith(dialer.Dial, host, lumber.Timeout(30*time.Second)); err != nil {
			return err
		}
	}
	if _, err = b.client.Send(batch); err != nil {
		b.client.Close()
		b.client = nil
	}
	return err
}
