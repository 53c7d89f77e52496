import sys,os,glob,threading
sys.path.insert(0, sys.prefix+'/foreign')
import numpy as np, tvm
from tvm import te
N=64
A=te.placeholder((N,4096),name='A'); B=te.compute((N,4096),lambda i,j: te.exp(te.sin(A[i,j])),name='B')
s=te.create_schedule(B.op); s[B].parallel(B.op.axis[0])
f=tvm.build(s,[A,B],'llvm')
a=tvm.nd.array(np.random.rand(N,4096).astype('float32')); b=tvm.nd.array(np.zeros((N,4096),'float32'))
cfg=tvm.get_global_func('runtime.config_threadpool'); n=tvm.get_global_func('runtime.NumThreads')
def cpu():
    r={}
    for t in glob.glob('/proc/self/task/*'):
        v=open(t+'/stat').read().rsplit(')',1)[1].split(); r[os.path.basename(t)]=int(v[11])+int(v[12])
    return r
for k in (1,2):
    def go():
        cfg(1,k); f(a,b)
        c=cpu()
        for _ in range(200): f(a,b)
        d=cpu(); print('asked',k,'NumThreads',n(),'busy threads', sorted([d[t]-c.get(t,0) for t in d],reverse=True)[:4])
    th=threading.Thread(target=go); th.start(); th.join()
