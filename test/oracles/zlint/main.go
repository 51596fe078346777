// Lints the certificates and revocation lists of samples with zlint, without the rules that are for public CAs alone.
//
//	usage: zlint DIRECTORY
//
// Every folder of the directory is a sample: chain.pem, and lists.pem where it has any. One JSON object a line is printed.
package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

type report struct {
	Sample   string   `json:"sample"`
	Problems []string `json:"problems"`
}

func blocks(file string) ([][]byte, error) {
	bytes, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	var found [][]byte
	for {
		var block *pem.Block
		if block, bytes = pem.Decode(bytes); block == nil {
			return found, err
		}
		found = append(found, block.Bytes)
	}
}

func failures(results *zlint.ResultSet) []string {
	var found []string
	for name, result := range results.Results {
		if result.Status >= lint.Warn {
			found = append(found, fmt.Sprintf("%s %s", name, result.Details))
		}
	}
	slices.Sort(found)
	return found
}

func examine(folder string, rules lint.Registry) ([]string, error) {
	var problems []string
	certificates, err := blocks(filepath.Join(folder, "chain.pem"))
	if err != nil {
		return nil, err
	}
	for _, der := range certificates {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		problems = append(problems, failures(zlint.LintCertificateEx(certificate, rules))...)
	}
	lists, err := blocks(filepath.Join(folder, "lists.pem"))
	if err != nil {
		return nil, err
	}
	for _, der := range lists {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		problems = append(problems, failures(zlint.LintRevocationListEx(list, rules))...)
	}
	return problems, nil
}

func run(directory string) error {
	rules, err := lint.GlobalRegistry().Filter(lint.FilterOptions{ExcludeSources: lint.SourceList{
		lint.AppleRootStorePolicy, lint.CABFBaselineRequirements, lint.CABFCSBaselineRequirements,
		lint.CABFEVGuidelines, lint.CABFSMIMEBaselineRequirements, lint.EtsiEsi, lint.MozillaRootStorePolicy,
		lint.ChromeRootStorePolicy, lint.RFC6962,
	}})
	if err != nil {
		return err
	}
	folders, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		problems, err := examine(filepath.Join(directory, folder.Name()), rules)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(report{folder.Name(), append([]string{}, problems...)}); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: zlint DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
