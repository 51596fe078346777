// What GitOps tools make of an object. A line of standard input is {"script":"…","object":{…}}; the answer is one line
// {"health":{"status","message"},"kstatus":{"status","message"}}.
//
// The script is run as Argo CD does it (util/lua/lua.go of argo-cd): its interpreter, without Lua's libraries but package, base
// and table; the object is the global `obj`; a second at the most; the answer is a table with one of six words as its status.
// kstatus is the library by which Flux, kustomize-controller and helm --wait judge.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type question struct {
	Script string         `json:"script"`
	Object map[string]any `json:"object"`
}

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type answer struct {
	Health  verdict `json:"health"`
	Kstatus verdict `json:"kstatus"`
}

var healthWords = map[string]bool{
	"Unknown": true, "Progressing": true, "Suspended": true, "Healthy": true, "Degraded": true, "Missing": true,
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fail(err)
		}
		health, err := healthOf(asked.Script, asked.Object)
		if err != nil {
			fail(err)
		}
		computed, err := status.Compute(&unstructured.Unstructured{Object: integers(asked.Object).(map[string]any)})
		if err != nil {
			fail(err)
		}
		out, err := json.Marshal(answer{health, verdict{computed.Status.String(), computed.Message}})
		if err != nil {
			fail(err)
		}
		fmt.Println(string(out))
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func healthOf(script string, object map[string]any) (verdict, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return verdict{}, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", luaValue(state, object))
	if err := state.DoString(script); err != nil {
		return verdict{}, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return verdict{}, fmt.Errorf("the script answers %s and not a table", state.Get(-1).Type())
	}
	word, _ := table.RawGetString("status").(lua.LString)
	if !healthWords[string(word)] {
		return verdict{}, fmt.Errorf("the script answers the status %q", string(word))
	}
	message, _ := table.RawGetString("message").(lua.LString)
	return verdict{string(word), string(message)}, nil
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch typed := value.(type) {
	case bool:
		return lua.LBool(typed)
	case float64:
		return lua.LNumber(typed)
	case string:
		return lua.LString(typed)
	case []any:
		list := state.NewTable()
		for _, one := range typed {
			list.Append(luaValue(state, one))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, one := range typed {
			table.RawSetString(key, luaValue(state, one))
		}
		return table
	default:
		return lua.LNil
	}
}

// As Kubernetes' own decoder reads numbers.
func integers(value any) any {
	switch typed := value.(type) {
	case float64:
		if typed == float64(int64(typed)) {
			return int64(typed)
		}
	case []any:
		for at, one := range typed {
			typed[at] = integers(one)
		}
	case map[string]any:
		for key, one := range typed {
			typed[key] = integers(one)
		}
	}
	return value
}
