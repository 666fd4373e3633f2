FROM python:3.12-slim
RUN useradd --create-home vigie
WORKDIR /app
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY detectors detectors
COPY connectors connectors
COPY pipelines pipelines
COPY dashboards dashboards
RUN pip install --no-cache-dir --no-deps .
USER vigie
ENTRYPOINT ["vigie"]
