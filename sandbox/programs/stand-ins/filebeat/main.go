// A stand-in for Filebeat, in what ECK, a kubelet, the API server and Logstash see of it: it reads the files that its
// inputs name, joins their lines to events, adds what the API server says of the pod, sends them with its certificate,
// and keeps in its data folder how far it is. It ends with a message where Filebeat does not start.
//
// The end of a file that is renamed within the second before it is read is lost, which Filebeat would hold open.
package main

import (
	"context"
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
	"path/filepath"
	"syscall"
	"time"

	lumber "github.com/elastic/go-lumber/client/v2"
)

const (
	home        = "/usr/share/filebeat"
	scanEvery   = time.Second
	longestWait = time.Minute
)

// output is Logstash, with the connection to it while there is one.
type output struct {
	hosts  []string
	tls    *tls.Config
	client *lumber.SyncClient
}

func main() {
	path := flag.String("c", filepath.Join(home, "filebeat.yml"), "the configuration")
	flag.Bool("e", true, "log to stderr, as it does in any case")
	flag.String("environment", "container", "ignored")
	flag.Parse()
	log.SetFlags(log.LstdFlags | log.LUTC)
	c, err := read(*path)
	if err != nil {
		fail("error loading config file: %v", err)
	}
	state, err := openRegistry(filepath.Join(home, "data"))
	if err != nil {
		fail("%v", err)
	}
	out, err := newOutput(c)
	if err != nil {
		fail("error initializing publisher: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log.Printf("filebeat start running, output %v", out.hosts)
	known, wait := &pods{asked: map[string]time.Time{}}, scanEvery
	for pause(ctx, wait) {
		if err := publish(c, out, state, known); err != nil {
			wait = min(2*wait, longestWait)
			log.Printf("Failed to publish events, again in %s: %v", wait, err)
		} else {
			wait = scanEvery
		}
	}
	log.Print("filebeat stopped.")
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "Exiting: "+format+"\n", values...)
	os.Exit(1)
}

func pause(ctx context.Context, duration time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(duration):
		return true
	}
}

// publish sends what is new in all files, and notes what is acknowledged.
func publish(c *configuration, out *output, state *registry, known *pods) error {
	for _, one := range c.Filebeat.Inputs {
		events := harvest(one, state.places)
		if len(events) == 0 {
			continue
		}
		batch := make([]any, len(events))
		for index, event := range events {
			known.process(one.Processors, event.fields)
			known.process(c.Processors, event.fields)
			batch[index] = event.fields
		}
		if err := out.send(batch); err != nil {
			return err
		}
		for _, event := range events {
			state.places[event.file] = event.end
		}
		if err := state.write(); err != nil {
			return err
		}
		log.Printf("%d events acknowledged", len(events))
	}
	return nil
}

func newOutput(c *configuration) (*output, error) {
	settings := c.Output.Logstash
	configuration := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	for _, file := range settings.SSL.Authorities {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !configuration.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("no certificate in " + file)
		}
	}
	pair, err := tls.LoadX509KeyPair(settings.SSL.Certificate, settings.SSL.Key)
	if err != nil {
		return nil, err
	}
	configuration.Certificates = []tls.Certificate{pair}
	return &output{hosts: settings.Hosts, tls: configuration}, nil
}

// send waits until a batch is acknowledged; after a failure the next one goes to the next host.
func (o *output) send(batch []any) error {
	if o.client == nil {
		host, _, err := net.SplitHostPort(o.hosts[0])
		if err != nil {
			return err
		}
		configuration := o.tls.Clone()
		configuration.ServerName = host
		dialer := &net.Dialer{Timeout: 30 * time.Second}
		connection, err := tls.DialWithDialer(dialer, "tcp", o.hosts[0], configuration)
		if err != nil {
			o.hosts = append(o.hosts[1:], o.hosts[0])
			return err
		}
		if o.client, err = lumber.NewSyncClientWithConn(connection, lumber.Timeout(30*time.Second)); err != nil {
			return err
		}
	}
	if _, err := o.client.Send(batch); err != nil {
		o.client.Close()
		o.client = nil
		return err
	}
	return nil
}

// registry is how far each file is read, by its first bytes. Its lock is held until the process ends.
type registry struct {
	file   string
	places map[string]int64
	lock   *os.File
}

// openRegistry reads what an earlier pod left in the data folder, which is this one's alone.
func openRegistry(data string) (*registry, error) {
	lock, err := os.OpenFile(filepath.Join(data, "filebeat.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to create Beat meta file: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("%s: data path already locked by another beat", lock.Name())
	}
	folder := filepath.Join(data, "registry", "filebeat")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	r := &registry{filepath.Join(folder, "log.json"), map[string]int64{}, lock}
	text, err := os.ReadFile(r.file)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &r.places)
	}
	return r, err
}

func (r *registry) write() error {
	text, err := json.Marshal(r.places)
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(r.file+".new", r.file)
}
