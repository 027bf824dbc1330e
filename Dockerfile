FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl && rm -r /wheels && useradd --no-create-home --uid 10001 mockserver
USER 10001
EXPOSE 8080
ENV MOCKSERVER_HOST=0.0.0.0
HEALTHCHECK --interval=5s --timeout=2s --retries=3 \
    CMD ["python", "-c", "import urllib.request as request; request.urlopen('http://127.0.0.1:8080/_mock/health', timeout=2)"]
ENTRYPOINT ["mockserver"]
CMD ["serve"]
