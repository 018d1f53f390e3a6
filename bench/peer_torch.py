"""PyTorch's side of bench/step.c, which starts this program and talks to it over pipes:

    python3 peer_torch.py usual|best THREADS

Reads a command a line and answers each with a line:
    prepare ID learn|act none|rise|full BATCH WINDOW UNITS  ->  ready
    time ID REPEAT                                          ->  seconds of an update (act: action),
                                                                the mean of REPEAT
    drop ID                                                 ->  ready
"usual" is the usual code. "best" adds channels_last and a fused Adam. It also freezes and
optimises the target network and, for act without memory, the acting network, if that is faster.
"""
import sys
import time
import warnings

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    print("absent", flush=True)
    sys.exit(0)

warnings.filterwarnings("ignore")
BEST = sys.argv[1] == "best"
ACTIONS, HEAD, FLAT = 18, 512, 3136
torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(0)


def frames(count):
    x = torch.randint(0, 256, (count, 4, 84, 84), dtype=torch.uint8)
    return x.contiguous(memory_format=torch.channels_last) if BEST else x


class Net(nn.Module):
    """Has the same shapes as our network: Nature's conv net, an LSTM, dueling heads on both."""

    def __init__(self, memory, units):
        super().__init__()
        self.memory = memory
        self.conv1, self.conv2 = nn.Conv2d(4, 32, 8, 4), nn.Conv2d(32, 64, 4, 2)
        self.conv3 = nn.Conv2d(64, 64, 3)
        fused = FLAT
        if memory != "none":
            self.lstm = nn.LSTM(units if memory == "rise" else FLAT, units)
            fused += units
        self.value1, self.value2 = nn.Linear(fused, HEAD), nn.Linear(HEAD, 1)
        self.advantage1, self.advantage2 = nn.Linear(fused, HEAD), nn.Linear(HEAD, ACTIONS)

    def features(self, x):
        x = x.float() / 255
        return F.relu(self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))).flatten(1)

    def heads(self, x):
        value = self.value2(F.relu(self.value1(x)))
        advantage = self.advantage2(F.relu(self.advantage1(x)))
        return value + advantage - advantage.mean(1, keepdim=True)

    def forward(self, x, embeddings):
        """Returns Q after the last step. RISE: x has B stacks, embeddings [T, B, units].
        FULL: x has T * B stacks; of embeddings only T is used."""
        f = self.features(x)
        if self.memory == "none":
            return self.heads(f)
        if self.memory == "rise":
            return self.heads(torch.cat((f, self.lstm(embeddings)[0][-1]), 1))
        f = f.view(embeddings.shape[0], -1, FLAT)
        return self.heads(torch.cat((f[-1], self.lstm(f)[0][-1]), 1))


class Update:
    """An update of double Q-learning: Huber loss, gradient clipping, Adam."""

    def __init__(self, memory, batch, window, units):
        self.net, self.target = Net(memory, units), Net(memory, units)
        self.target.eval()
        if BEST:
            self.net = self.net.to(memory_format=torch.channels_last)
            self.target = self.target.to(memory_format=torch.channels_last)
        options = {"fused": True} if BEST else {}
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-4, eps=1.5e-4, **options)
        count = batch * window if memory == "full" else batch
        self.x, self.x2 = frames(count), frames(count)
        size = units if memory == "rise" else 1
        self.e, self.e2 = torch.randn(window, batch, size), torch.randn(window, batch, size)
        self.action = torch.randint(0, ACTIONS, (batch, 1))
        self.reward, self.weight = torch.rand(batch), torch.rand(batch)
        if BEST:
            self.target = frozen(self.target, self.x2, self.e2)

    def run(self):
        with torch.inference_mode() if BEST else torch.no_grad():
            best = self.net(self.x2, self.e2).argmax(1, keepdim=True)
            y = self.reward + 0.97 * self.target(self.x2, self.e2).gather(1, best).squeeze(1)
        y = y.clone() if BEST else y
        q = self.net(self.x, self.e).gather(1, self.action).squeeze(1)
        loss = (F.smooth_l1_loss(q, y, reduction="none") * self.weight).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimizer.step()


class Act:
    """An action for one game; the recurrent state is carried from step to step."""

    def __init__(self, memory, units):
        self.net = Net(memory, units).eval()
        if BEST:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.memory, self.x, self.e = memory, frames(1), torch.randn(1, 1, units)
        self.state = torch.zeros(1, 1, units), torch.zeros(1, 1, units)
        if BEST and memory == "none":
            self.net = frozen(self.net, self.x, self.e)

    def run(self):
        with torch.inference_mode():
            if self.memory == "none":
                return int(self.net(self.x, self.e).argmax(1))
            h, self.state = self.net.lstm(self.e, self.state)
            return int(self.net.heads(torch.cat((self.net.features(self.x), h[-1]), 1)).argmax(1))


def frozen(net, *example):
    """Returns the net traced, with constant weights in oneDNN's layout. Returns the net itself if
    that fails or is slower."""
    def took(f):
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            f(*example)
            seconds.append(time.perf_counter() - start)
        return min(seconds)
    try:
        with torch.inference_mode():
            traced = torch.jit.freeze(torch.jit.trace(net, example, check_trace=False))
            made = torch.jit.optimize_for_inference(traced)
            return made if took(made) < took(net) else net
    except Exception:  # some versions of PyTorch cannot do this
        return net


def main():
    jobs = {}
    print("PyTorch %s" % torch.__version__, flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "time":
            job = jobs[words[1]]
            repeat = int(words[2])
            if repeat > 1:  # a short job: once without the clock, to warm the caches
                job.run()
            start = time.perf_counter()
            for _ in range(repeat):
                job.run()
            print("%.9f" % ((time.perf_counter() - start) / repeat), flush=True)
            continue
        if words[0] == "drop":
            del jobs[words[1]]
        else:
            batch, window, units = (int(word) for word in words[4:7])
            if words[2] == "learn":
                jobs[words[1]] = Update(words[3], batch, window, units)
            else:
                jobs[words[1]] = Act(words[3], units)
        print("ready", flush=True)


main()
