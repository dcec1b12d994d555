package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"time"
)

// queue keeps what a pipeline has taken and not yet passed on, in a folder of the volume: a file for each batch, so that
// what was acknowledged outlives the pod.
type queue struct {
	folder string
	limit  int64
	mutex  sync.Mutex
	next   int64
	wake   chan struct{}
}

// openQueue makes the folder, and finds what an earlier pod left in it.
func openQueue(folder string, limit int64) (*queue, error) {
	if err := os.MkdirAll(folder, 0o775); err != nil {
		return nil, err
	}
	q := &queue{folder: folder, limit: limit, wake: make(chan struct{}, 1)}
	for _, number := range q.numbers() {
		q.next = number + 1
	}
	return q, nil
}

// put writes a batch; while the queue is full it waits.
func (q *queue) put(ctx context.Context, events []event) error {
	text, err := json.Marshal(events)
	if err != nil {
		return err
	}
	for q.size() > q.limit-int64(len(text)) {
		if !pause(ctx, time.Second) {
			return ctx.Err()
		}
	}
	q.mutex.Lock()
	defer q.mutex.Unlock()
	file := q.file(q.next)
	if err := os.WriteFile(file+".part", text, 0o664); err != nil {
		return err
	}
	q.next++
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return os.Rename(file+".part", file)
}

// each calls pass with the batches, oldest first, and drops each that was passed on, until the context ends.
func (q *queue) each(ctx context.Context, pass func([]event) error) error {
	for ctx.Err() == nil {
		for _, number := range q.numbers() {
			text, err := os.ReadFile(q.file(number))
			if err != nil {
				return err
			}
			var events []event
			if err := json.Unmarshal(text, &events); err != nil {
				return err
			}
			if err := pass(events); err != nil {
				return err
			}
			if err := os.Remove(q.file(number)); err != nil {
				return err
			}
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (q *queue) file(number int64) string {
	return filepath.Join(q.folder, "page."+strconv.FormatInt(number, 10))
}

func (q *queue) numbers() []int64 {
	var numbers []int64
	files, _ := filepath.Glob(filepath.Join(q.folder, "page.*"))
	for _, file := range files {
		if number, err := strconv.ParseInt(filepath.Ext(file)[1:], 10, 64); err == nil {
			numbers = append(numbers, number)
		}
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	return numbers
}

func (q *queue) size() int64 {
	var size int64
	for _, number := range q.numbers() {
		if status, err := os.Stat(q.file(number)); err == nil {
			size += status.Size()
		}
	}
	return size
}

// pause waits, and says whether it did so to the end.
func pause(ctx context.Context, duration time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(duration):
		return true
	}
}
