// What TiDB's own parser makes of SQL on standard input: one JSON object a statement on standard output, or one with "error".
// The argument is a set of SQL modes, separated by commas, as sql_mode has them.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver"
)

type account struct {
	User string `json:"user"`
	Host string `json:"host"`
}

type statement struct {
	Kind     string    `json:"kind,omitempty"`
	Accounts []account `json:"accounts,omitempty"`
	// What is demanded of a connection, and the text it is compared with.
	Require [][2]string `json:"require,omitempty"`
	Sets    []string    `json:"sets,omitempty"`
	Error   string      `json:"error,omitempty"`
}

var requirements = map[ast.AuthTokenOrTLSOptionType]string{
	ast.TlsNone: "NONE", ast.Ssl: "SSL", ast.X509: "X509", ast.Issuer: "ISSUER", ast.Subject: "SUBJECT",
}

func main() {
	sql, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	reader := parser.New()
	if len(os.Args) > 1 {
		mode, err := mysql.GetSQLMode(os.Args[1])
		if err != nil {
			panic(err)
		}
		reader.SetSQLMode(mode)
	}
	out := json.NewEncoder(os.Stdout)
	nodes, _, err := reader.ParseSQL(string(sql))
	if err != nil {
		_ = out.Encode(statement{Error: err.Error()})
		return
	}
	for _, node := range nodes {
		_ = out.Encode(describe(node))
	}
}

func describe(node ast.StmtNode) statement {
	switch node := node.(type) {
	case *ast.AlterUserStmt:
		found := statement{Kind: "ALTER USER"}
		for _, spec := range node.Specs {
			found.Accounts = append(found.Accounts, account{User: spec.User.Username, Host: spec.User.Hostname})
		}
		for _, option := range node.AuthTokenOrTLSOptions {
			found.Require = append(found.Require, [2]string{requirements[option.Type], option.Value})
		}
		return found
	case *ast.SetStmt:
		found := statement{Kind: "SET"}
		for _, variable := range node.Variables {
			scope := ""
			if variable.IsGlobal {
				scope = "GLOBAL "
			}
			found.Sets = append(found.Sets, scope+variable.Name)
		}
		return found
	case *ast.AlterInstanceStmt:
		kind := "ALTER INSTANCE"
		if node.ReloadTLS {
			kind += " RELOAD TLS"
		}
		if node.NoRollbackOnError {
			kind += " NO ROLLBACK ON ERROR"
		}
		return statement{Kind: kind}
	case *ast.ShowStmt:
		return statement{Kind: "SHOW"}
	default:
		return statement{Kind: fmt.Sprintf("%T", node)}
	}
}
