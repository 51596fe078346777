// Prometheus' own engine over a few series in memory: which metrics an expression names, and what it answers.
// Reads one JSON object {"expr", "at", "series": [{"labels", "samples": [[seconds, value]]}]} a line, and answers each with
// {"error"} or {"metrics", "result": [{"labels", "value"}]}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

type series struct {
	Labels  map[string]string `json:"labels"`
	Samples [][2]float64      `json:"samples"`
}

type query struct {
	Expr   string   `json:"expr"`
	At     int64    `json:"at"`
	Series []series `json:"series"`
}

type row struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

type answer struct {
	Error   string   `json:"error,omitempty"`
	Metrics []string `json:"metrics"`
	Result  []row    `json:"result"`
}

type memory struct {
	storage.LabelQuerier
	series []series
}

func (m memory) Querier(_, _ int64) (storage.Querier, error) { return m, nil }
func (m memory) Close() error                                { return nil }

func (m memory) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found []storage.Series
	for _, one := range m.series {
		set := labels.FromMap(one.Labels)
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(set.Get(m.Name)) }) {
			continue
		}
		var samples []chunks.Sample
		for _, pair := range one.Samples {
			samples = append(samples, sample{int64(pair[0] * 1000), pair[1]})
		}
		found = append(found, storage.NewListSeries(set, samples))
	}
	return &set{series: found, at: -1}
}

type sample struct {
	t int64
	f float64
}

func (s sample) ST() int64                     { return 0 }
func (s sample) T() int64                      { return s.t }
func (s sample) F() float64                    { return s.f }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

type set struct {
	series []storage.Series
	at     int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

func ask(engine *promql.Engine, q query) answer {
	expr, err := parser.ParseExpr(q.Expr)
	if err != nil {
		return answer{Error: err.Error()}
	}
	out := answer{Metrics: []string{}, Result: []row{}}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			out.Metrics = append(out.Metrics, selector.Name)
		}
		return nil
	})
	ctx := context.Background()
	prepared, err := engine.NewInstantQuery(ctx, memory{series: q.Series}, nil, q.Expr, time.Unix(q.At, 0))
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer prepared.Close()
	result := prepared.Exec(ctx)
	if result.Err != nil {
		return answer{Error: result.Err.Error()}
	}
	if vector, err := result.Vector(); err == nil {
		for _, found := range vector {
			out.Result = append(out.Result, row{found.Metric.Map(), found.F})
		}
	}
	return out
}

func main() {
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var q query
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			panic(err)
		}
		if err := out.Encode(ask(engine, q)); err != nil {
			panic(err)
		}
	}
}
