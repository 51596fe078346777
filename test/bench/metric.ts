/** The sum of a metric over all its series whose labels hold `labels`, from the text of /metrics. Throws when there is none. */
export const metric = (text: string, name: string, labels = ''): number => {
  const values = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}${labels === '' ? ' ' : '{'}`) && line.includes(labels))
  if (values.length === 0) throw new Error(`no metric ${name}`)
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
