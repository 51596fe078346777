/** Names with `{cluster}`, `{component}` and `{client}` in them. */

export interface Words {
  readonly cluster: string
  readonly component?: string
  readonly client?: string
}

/** Throws where the template names a word that is not given: the caller chose a Secret that has one. */
export const fillIn = (template: string, words: Words): string =>
  template.replaceAll(/\{(cluster|component|client)\}/g, (_whole, word: keyof Words) => {
    const value = words[word]
    if (value === undefined) throw new Error(`no ${word} for the name "${template}"`)
    return value
  })

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)

/** The cluster in a name that was made from the template; undefined where it was not. */
export const clusterIn = (template: string, name: string): string | undefined => {
  const pattern = template
    .split(/(\{\w+\})/)
    .map((part) => (part === '{cluster}' ? '(?<cluster>.+)' : /^\{\w+\}$/.test(part) ? '[a-z0-9]+' : escaped(part)))
    .join('')
  return new RegExp(`^${pattern}$`).exec(name)?.groups?.['cluster']
}

export const filled = (values: Readonly<Record<string, string>>, cluster: string | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      cluster === undefined ? value : value.replaceAll('{cluster}', cluster),
    ]),
  )
