-- wrk sends one and the same request: METHOD PATH [BODY_FILE], after `--`; the figures are printed as one JSON line.

function init(args)
   wrk.method = args[1]
   local body
   if args[3] then
      local file = assert(io.open(args[3], "rb"))
      body = file:read("*a")
      file:close()
      wrk.headers["Content-Type"] = "application/json"
   end
   wrk.headers["Authorization"] = "Bearer bench-key"
   wrk.headers["X-On-Behalf-Of"] = "bench-user"
   made = wrk.format(nil, args[2], nil, body)
end

function request()
   return made
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50": %.3f, "p99": %.3f, "max": %.3f}\n',
      summary.requests, summary.duration / 1e6, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
