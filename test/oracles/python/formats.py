"""Reads configuration as the standard library does: TOML, XML, and the INI of cqlsh, which uses the same class.

Standard input is a JSON array of {"format", "text"}; standard output a JSON array of what was read, or of {"error"}.
"""

import configparser
import json
import sys
import tomllib
import xml.etree.ElementTree as tree


def element(node):
    """[tag, attributes, children or text], in order."""
    children = [element(child) for child in node]
    return [node.tag, dict(node.attrib), children if children else (node.text or "")]


def ini(text):
    # pylib/cqlshlib/cqlshmain.py
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


READERS = {"toml": tomllib.loads, "xml": lambda text: element(tree.fromstring(text)), "ini": ini}


def read(one):
    try:
        return READERS[one["format"]](one["text"])
    except (tomllib.TOMLDecodeError, tree.ParseError, configparser.Error) as error:
        return {"error": str(error)}


json.dump([read(one) for one in json.load(sys.stdin)], sys.stdout)
