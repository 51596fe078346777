/** What can be asked for: the values of a metric's label. */
export const routes = ['index', 'authority', 'crt', 'cer', 'pem', 'p7c', 'crl', 'lookup', 'certs', 'none'] as const
export type Route = (typeof routes)[number]
