# A container of the pipeline, CPU build. docker build -t siil . && docker run --rm -v "$PWD/out:/siil/results" siil
# For NVIDIA GPUs: --build-arg PIP_FLAGS= (the CUDA libraries come with torch) and docker run --gpus all.
# Research use only, not a medical device.
FROM python:3.11-slim
ARG PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"
RUN apt-get update && apt-get install -y --no-install-recommends make git procps && rm -rf /var/lib/apt/lists/*
WORKDIR /siil
COPY . .
RUN make environment PIP_FLAGS="$PIP_FLAGS" && .venv/bin/python -m compileall -q -j 0 .venv/lib
ENV PATH=/siil/.venv/bin:$PATH
CMD ["make", "demo"]
