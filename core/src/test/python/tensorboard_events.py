# Prints what TensorBoard's own reader finds in a folder of event files, as one JSON object: for each
# tag of a scalar its [step, value] pairs, and the texts. tensorboard 2.21.
#   python tensorboard_events.py FOLDER
import json
import sys

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util

ALL = {kind: 0 for kind in event_accumulator.DEFAULT_SIZE_GUIDANCE}
events = event_accumulator.EventAccumulator(sys.argv[1], size_guidance=ALL)
events.Reload()
scalars, texts = {}, {}
for tag in events.Tags()["tensors"]:
    plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
    for event in events.Tensors(tag):
        value = tensor_util.make_ndarray(event.tensor_proto)
        if plugin == "scalars":
            scalars.setdefault(tag, []).append([event.step, value.item()])
        else:
            texts[tag] = value.item().decode()
for tag in events.Tags()["scalars"]:
    scalars[tag] = [[event.step, event.value] for event in events.Scalars(tag)]
print(json.dumps({"scalars": scalars, "texts": texts}))
