/** Where a field of a manifest stands in its file. */
import { isMap, isScalar, isSeq } from 'yaml'
import type { Node, Pair } from 'yaml'

const keyText = (pair: Pair): string => (isScalar(pair.key) ? String(pair.key.value) : '')

/** The rest of `path` behind `key`, in dotted or bracketed form; undefined where `key` does not come first. */
const behind = (path: string, key: string): string | undefined => {
  for (const form of [`.${key}`, `[${key}]`, `["${key}"]`]) {
    if (!path.startsWith(form)) continue
    const rest = path.slice(form.length)
    if (rest === '' || rest.startsWith('.') || rest.startsWith('[')) return rest
  }
  return undefined
}

const start = (node: unknown): number | undefined => {
  const range = (node as Node | undefined)?.range
  return range?.[0]
}

/**
 * The offset of the deepest node on the way to `field` (`spec.secret.items[1].key`, `data[tls.key]`): of the key where
 * the field is there, else of what should contain it. Keys may hold dots themselves, so they are matched, not split.
 */
export const offsetOf = (root: unknown, field: string): number => {
  let node: unknown = root
  let rest = field === '' || field.startsWith('[') ? field : `.${field}`
  let offset = start(root) ?? 0
  while (rest !== '') {
    if (isMap(node)) {
      const found = node.items
        .map((pair) => ({ pair, after: behind(rest, keyText(pair)) }))
        .filter((one): one is { pair: Pair; after: string } => one.after !== undefined)
        .toSorted((a, b) => a.after.length - b.after.length)[0]
      if (!found) return offset
      offset = start(found.pair.key) ?? offset
      node = found.pair.value
      rest = found.after
      continue
    }
    const index = /^\[(\d+)\]/.exec(rest)
    if (!isSeq(node) || !index) return offset
    const item = node.items[Number(index[1])]
    if (item === undefined) return offset
    offset = start(item) ?? offset
    node = item
    rest = rest.slice(index[0].length)
  }
  return offset
}
